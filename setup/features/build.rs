//! Makes Cargo consider the build dependencies, which it ignores in a package without a build script.

fn main() {}
