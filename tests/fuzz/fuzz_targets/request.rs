//! Fuzz target: any text of a request.json is read or refused, and a request that is read is written and read
//! again without a difference.
#![no_main]

use callsheet_worker::protocol::WorkRequest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| match WorkRequest::parse(text) {
    Ok(request) => {
        let again = serde_json::to_vec(&request).expect("a request is plain data");
        assert_eq!(WorkRequest::parse(&again).expect("written by this program"), request);
    }
    Err(error) => _ = format!("{:?}", miette::Report::new(callsheet_worker::with_code(&error))),
});
