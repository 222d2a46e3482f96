//! Build script that records the folder of libtorch, so that the program finds it without LD_LIBRARY_PATH.

#[expect(clippy::disallowed_methods, reason = "a build script has no request")]
fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if let Some(folder) = std::env::var_os("LIBTORCH") {
        let folder = std::path::PathBuf::from(folder);
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.join("lib").display());
    }
}
