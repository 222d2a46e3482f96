//! Names of the things that a figure shows.

/// What the n-th of several is called, from 0: `A`, `B`, .., `Z`, `AA`, `AB`, ..
pub fn letter(n: usize) -> String {
    let last = char::from(b'A' + (n % 26) as u8);
    let before = if n < 26 { String::new() } else { letter(n / 26 - 1) };
    before + &last.to_string()
}
