//! Fuzz target: any text of a stage.toml or a pipeline file is parsed or refused, and each error can be
//! rendered.
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use callsheet::declare::{Layer, StageDecl};
use callsheet_worker::error::SourceText;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let source = Arc::new(SourceText::new(PathBuf::from("declaration.toml"), text.to_owned()));
    let layer = Layer::parse(&source).map(drop);
    let stage = StageDecl::parse(&source, "stage", Path::new("/nowhere")).map(drop);
    for error in [layer, stage].into_iter().filter_map(Result::err) {
        let _ = format!("{:?}", miette::Report::new(error));
    }
});
