//! Names of a network's convolutions in a file. Programs put a prefix before the names: `module.` for a model
//! that was trained on several GPUs, `state_dict/` for a dict within a checkpoint.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use callsheet_worker::error::list;
use callsheet_worker::user_error;
use tch::Tensor;

use super::floats::Arrays;
use super::network::{Convolution, Pair};
use super::unreadable::{unreadable, unsuitable};

/// Number of arrays that an error names.
const SHOWN: usize = 4;

/// Weights and biases of the convolutions, in their order. `pairs` returns the names that a convolution may
/// have in the file.
///
/// # Errors
/// Returns an error if the file lacks a convolution, contains several sets of weights, or contains a needed
/// array that is not readable.
pub(super) fn pick(
    path: &Path,
    mut arrays: Arrays,
    convolutions: &[Convolution],
    pairs: fn(&Convolution) -> Vec<Pair>,
) -> Result<Vec<[Tensor; 2]>> {
    let prefix = prefix(path, &arrays, convolutions, pairs)?;
    let mut picked = Vec::new();
    for convolution in convolutions {
        let Some(pair) = find(&arrays, &prefix, &pairs(convolution)) else {
            return Err(missing(path, &arrays, convolution, &prefix, &pairs(convolution)));
        };
        let mut take = |name: &String| {
            let array = arrays.remove(name).unwrap_or_else(|| Err("it is used twice".into()));
            array.map_err(|why| unreadable(path, format!("`{name}`: {why}")))
        };
        picked.push([take(&pair[0])?, take(&pair[1])?]);
    }
    Ok(picked)
}

/// Prefix of the names of all convolutions: none if the file has the plain names or none of them.
fn prefix(
    path: &Path,
    arrays: &Arrays,
    convolutions: &[Convolution],
    pairs: fn(&Convolution) -> Vec<Pair>,
) -> Result<String> {
    let first = convolutions.first().map(pairs).unwrap_or_default();
    let before = |name: &String, [weight, _]: &Pair| {
        let prefix = name.strip_suffix(weight.as_str())?;
        (prefix.is_empty() || prefix.ends_with(['.', '/'])).then(|| prefix.to_owned())
    };
    let begun: BTreeSet<String> =
        arrays.keys().flat_map(|name| first.iter().filter_map(move |pair| before(name, pair))).collect();
    let complete = |prefix: &&String| {
        convolutions.iter().all(|convolution| find(arrays, prefix, &pairs(convolution)).is_some())
    };
    let fitting: Vec<&String> = begun.iter().filter(complete).collect();
    match fitting.as_slice() {
        [prefix] => Ok((*prefix).clone()),
        [plain, ..] if plain.is_empty() => Ok(String::new()),
        // A file that lacks a convolution: its names are those with the first prefix.
        [] => Ok(begun.first().cloned().unwrap_or_default()),
        several => Err(user_error(
            format!(
                "`{}` contains several sets of weights of this network: {}",
                path.display(),
                list(several.iter().map(|prefix| prefix.as_str()))
            ),
            "save one of them alone, for example `torch.save(torch.load(file)[\"state_dict\"], \"weights.pth\")`",
        )),
    }
}

fn find(arrays: &Arrays, prefix: &str, pairs: &[Pair]) -> Option<Pair> {
    let named = pairs.iter().map(|pair| pair.each_ref().map(|name| format!("{prefix}{name}")));
    named.into_iter().find(|pair| pair.iter().all(|name| arrays.contains_key(name)))
}

fn missing(
    path: &Path,
    arrays: &Arrays,
    convolution: &Convolution,
    prefix: &str,
    pairs: &[Pair],
) -> anyhow::Error {
    let wanted = pairs.first().map(|[weight, bias]| format!(" (`{prefix}{weight}`, `{prefix}{bias}`)"));
    let mut found: Vec<String> = arrays.keys().take(SHOWN).map(|name| format!("`{name}`")).collect();
    if arrays.len() > SHOWN {
        found.push(format!("{} others", arrays.len() - SHOWN));
    }
    let found = found.join(", ");
    let (name, wanted) = (&convolution.name, wanted.unwrap_or_default());
    unsuitable(path, format!("it has no weights of `{name}`{wanted}; its arrays are: {found}"))
}
