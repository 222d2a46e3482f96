//! Names and numbers in figures.

/// Label of the n-th of several items, counted from 0: `A`, `B`, .., `Z`, `AA`, `AB`, ..
pub fn letter(n: usize) -> String {
    let last = char::from(b'A' + (n % 26) as u8);
    let before = if n < 26 { String::new() } else { letter(n / 26 - 1) };
    before + &last.to_string()
}

/// Short text of a value.
pub fn number(value: f64) -> String {
    let size = value.abs();
    match size {
        0.0 => "0".to_owned(),
        _ if !(1e-3..1e5).contains(&size) => format!("{value:.1e}"),
        _ if size >= 100.0 => format!("{value:.0}"),
        _ if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// Readable text of a duration in seconds: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`.
pub fn human_seconds(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Number of things, e.g. `1 row` or `2 rows`. The plural of `thing` ends in `s`.
pub fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}
