//! Tests of the objectives in this repository, and of invalid files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use callsheet_worker::help_of;

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("pipelines").join("objectives")
}

/// Objectives of this repository by name.
pub(crate) fn all(freeze_encoder: impl Fn(&Objective) -> bool) -> BTreeMap<String, Objective> {
    let files = fs::read_dir(folder()).expect("objectives").map(|entry| entry.expect("a file").path());
    let each = files.map(|path| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let objective = read(&path, false).expect("an objective");
        let objective =
            if freeze_encoder(&objective) { read(&path, true).expect("an objective") } else { objective };
        (name, objective)
    });
    each.collect()
}

#[test]
fn the_eleven_configurations_of_the_comparison_are_there() {
    let all = all(|_| false);
    let columns = |name: &str| {
        let objective = &all[name];
        let has = |terms: &[Term]| terms.iter().all(|term| objective.has(*term));
        // Pre-trained, variational, cycle, random styles, swapped styles, KL, Z2.
        [
            objective.encoder == Start::Pretrained,
            objective.variational,
            has(&[Term::Cycle]),
            has(&[Term::GanRandom, Term::RandomCode, Term::FakeRandom]),
            has(&[Term::GanSwap, Term::SwapCode, Term::FakeSwap]),
            has(&[Term::Kl]),
            has(&[Term::CodeL2]),
        ]
        .map(u8::from)
    };
    let wanted = [
        ("bicyclegan_v0", [0, 1, 0, 1, 0, 1, 0]),
        ("bicyclegan_v1", [0, 1, 0, 1, 0, 1, 0]),
        ("bicyclegan_v2", [0, 0, 0, 1, 0, 1, 0]),
        ("bicyclegan_v3", [0, 0, 0, 0, 1, 0, 1]),
        ("munit_p_v1", [0, 1, 1, 1, 0, 1, 0]),
        ("munit_p_v2", [0, 0, 1, 1, 0, 1, 0]),
        ("munit_p_v3", [0, 0, 1, 0, 1, 0, 1]),
        ("step_v1", [1, 0, 1, 0, 1, 0, 1]),
        ("step_v2", [1, 0, 0, 0, 1, 0, 1]),
        ("step_v3", [1, 0, 0, 0, 0, 0, 1]),
        ("step_v4", [1, 0, 0, 0, 0, 0, 0]),
    ];
    assert_eq!(all.len(), wanted.len());
    for (name, wanted) in wanted {
        assert_eq!(columns(name), wanted, "{name}");
    }
}

#[test]
fn step_1_is_munit_p_3_and_step_2_is_bicyclegan_3_from_a_pretrained_encoder() {
    let all = all(|_| false);
    for (ours, theirs) in [("step_v1", "munit_p_v3"), ("step_v2", "bicyclegan_v3")] {
        let theirs = Objective { encoder: Start::Pretrained, ..all[theirs].clone() };
        assert_eq!(all[ours], theirs);
    }
}

#[test]
fn objectives_that_train_alike_while_the_encoder_is_frozen_are_equal() {
    let all = all(|objective| objective.encoder == Start::Pretrained);
    assert_eq!(all["step_v3"], all["step_v4"]);
    assert_ne!(all["step_v2"], all["step_v3"]);
    assert!(!all["step_v1"].trains(Network::Encoder) && all["step_v1"].crosses());
}

#[test]
fn invalid_objectives_are_refused_with_a_remedy() {
    let of = |head: &str, optimizer: &str, terms: &str| {
        format!("summary = \"\"\n{head}\n[optimizers.g]\n{optimizer}\nterms = {{ {terms} }}\n")
    };
    let trained = "updates = [\"generator\", \"encoder\"]";
    let start = "encoder = \"scratch\"";
    let refused = [
        (of(start, trained, "perceptuel = 1.0"), "unknown term `perceptuel`", "did you mean `perceptual`"),
        (of(start, trained, "perceptual = -1.0"), "`-1` is not a valid weight", "at least 0"),
        (of(start, trained, "perceptual = nan"), "`NaN` is not a valid weight", "at least 0"),
        (of(start, trained, "perceptual = 0.0"), "trains nothing", "leave it out"),
        (of(start, "updates = []", "l1 = 1.0"), "no optimizer updates the generator", "updates ="),
        (of(start, "updates = [\"generator\"]", "l1 = 1.0"), "no optimizer updates it", "pretrained"),
        (of(start, "updates = [\"generater\"]", "l1 = 1.0"), "generater", "documentation"),
        (of(start, trained, "l1 = 1.0, real = 1.0"), "nothing that real depends on", "leave real out"),
        (of(start, trained, "code_l2 = 1.0"), "updates the generator, but none", "leave the network out"),
        (of(start, trained, "gan_random = 1.0, l1 = 1.0"), "does not learn to judge it", "add an optimizer"),
        (of("encoder = \"trained\"", trained, "l1 = 1.0"), "trained", "documentation"),
        (of(&format!("{start}\nvariatonal = true"), trained, "l1 = 1.0"), "variatonal", "documentation"),
        (of(start, &format!("{trained}\nlearning_rate = 0.0"), "l1 = 1.0"), "learning_rate = `0`", "above 0"),
        (of(start, &format!("{trained}\nbetas = [0.0, 1.0]"), "l1 = 1.0"), "`1` is not a valid", "below 1"),
        (
            of(start, "updates = [\"generator\", \"encoder\", \"discriminator\"]", "l1 = 1.0, real = 1.0"),
            "updates a discriminator with other networks",
            "optimizer of its own",
        ),
        (
            format!(
                "{}[optimizers.d]\nupdates = [\"discriminator\"]\nterms = {{ fake_random = 1.0 }}\n",
                of(&format!("{start}\nsecond_discriminator = [\"random\"]"), trained, "l1 = 1.0")
            ),
            "the other discriminator judges",
            "second_discriminator",
        ),
        (
            format!(
                "{}[optimizers.d]\nupdates = [\"discriminator\"]\nterms = {{ real = 1.0 }}\n",
                of(start, trained, "gan_reconstruction = 1.0, l1 = 1.0")
            ),
            "does not learn to judge it",
            "the fake term of the same output",
        ),
        ("summary".to_owned(), "is not a valid objective", "documentation"),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    for (text, message, help) in refused {
        let path = folder.path().join("mine.toml");
        fs::write(&path, &text).expect("written");
        let error = read(&path, false).expect_err(&text);
        let said = error.to_string();
        assert!(said.contains("mine.toml") && said.contains(message), "{said}");
        let helped = help_of(&error).unwrap_or_default();
        assert!(helped.contains(help), "{said}: {helped}");
    }
    let scratch = folder.path().join("scratch.toml");
    fs::write(&scratch, of(start, trained, "l1 = 1.0")).expect("written");
    let error = read(&scratch, true).expect_err("frozen").to_string();
    assert!(error.contains("cannot be frozen"), "{error}");
}
