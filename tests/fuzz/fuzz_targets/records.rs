//! Fuzz target: any text of an action record is read or refused, and a record that is read keeps its key when
//! it is written and read again.
#![no_main]

use callsheet::store::Record;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    if let Ok(record) = serde_json::from_slice::<Record>(text) {
        let again = serde_json::to_vec(&record).expect("a record is plain data");
        let read: Record = serde_json::from_slice(&again).expect("written by this program");
        assert_eq!(read.key.digest(), record.key.digest());
    }
});
