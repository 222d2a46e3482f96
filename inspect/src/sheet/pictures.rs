//! Pictures of images and frames, by their ids.

use std::collections::{BTreeSet, HashMap};

use image::RgbImage;
use miette::{IntoDiagnostic, Result, miette};
use polars::prelude::*;
use rayon::prelude::*;

use crate::artifacts::{Artifacts, TargetArgs};
use crate::code;
use crate::frame::collect;
use crate::table::{Table, is_image, open};

/// Pictures by id.
pub(super) type Pictures = HashMap<String, RgbImage>;

/// Columns of images that are preferred to others: the style image of a pair, and a frame.
const PREFERRED: [&str; 2] = ["b", "image"];

/// Source of pictures.
pub(super) struct Source<'a> {
    /// Table of pictures, if the user names one.
    pub table: Option<&'a str>,
    /// Column of pictures, if the user names one.
    pub column: Option<&'a str>,
    /// Column by which pictures are found.
    pub key: &'a str,
    /// Pipeline whose artifacts may contain the pictures.
    pub which: &'a TargetArgs,
}

impl Source<'_> {
    /// Reads the pictures with these ids, from the table that is drawn or from another that has them.
    ///
    /// # Errors
    /// Returns an error if no table has the pictures, or a picture is damaged.
    pub(super) fn load(
        &self,
        drawn: &str,
        ids: &[&str],
        artifacts: &mut Option<Artifacts>,
    ) -> Result<Pictures> {
        let (table, column) = self.find(drawn, artifacts)?;
        let wanted: BTreeSet<&str> = ids.iter().copied().collect();
        let wanted = Series::new("wanted".into(), wanted.into_iter().collect::<Vec<_>>());
        let there = col(self.key).is_in(lit(wanted).implode(true), false);
        let bytes = col(column.as_str()).struct_().field_by_name("bytes").alias("bytes");
        let rows = collect(table.scan()?.filter(there).select([col(self.key), bytes]))?;
        let keys = rows.columns()[0].str().into_diagnostic()?.clone();
        let files = rows.columns()[1].binary().into_diagnostic()?.clone();
        let files: Vec<(&str, &[u8])> =
            keys.iter().zip(files.iter()).filter_map(|(key, file)| Some((key?, file?))).collect();
        let decode = |(id, file): &(&str, &[u8])| {
            let (picture, _) = callsheet_pictures::decode(file).map_err(|error| {
                miette!(
                    code = code::UNREADABLE,
                    help = "re-run the stage that wrote the table: `callsheet run --force STAGE`",
                    "picture `{id}` of `{}` {error}",
                    table.name
                )
            })?;
            Ok(((*id).to_owned(), picture))
        };
        let pictures = files.par_iter().map(decode).collect::<Result<Pictures>>()?;
        match ids.iter().find(|id| !pictures.contains_key(**id)) {
            Some(id) => Err(miette!(
                code = code::UNKNOWN_NAME,
                help = "use --pictures to name a table that contains this picture",
                "`{}` has no picture of `{id}`",
                table.name
            )),
            None => Ok(pictures),
        }
    }

    fn find(&self, drawn: &str, artifacts: &mut Option<Artifacts>) -> Result<(Table, String)> {
        if let Some(name) = self.table {
            let table = open(name, self.which, artifacts)?;
            let column = self.column_of(&table).ok_or_else(|| {
                let missing = match self.column {
                    _ if table.schema.get(self.key).is_none() => format!("column `{}`", self.key),
                    Some(column) => format!("column of images `{column}`"),
                    None => "column of images".to_owned(),
                };
                miette!(
                    code = code::UNKNOWN_NAME,
                    help = "name another table with --pictures, or another column with --picture",
                    "`{name}` has no {missing}"
                )
            })?;
            return Ok((table, column));
        }
        if let Ok(table) = open(drawn, self.which, artifacts)
            && let Some(column) = self.column_of(&table)
        {
            return Ok((table, column));
        }
        if artifacts.is_none() {
            *artifacts = Some(self.which.artifacts(None)?);
        }
        for artifact in artifacts.iter().flat_map(Artifacts::iter) {
            let Some(path) = &artifact.path else { continue };
            let table = Table::open(&artifact.name, path, Vec::new())?;
            if let Some(column) = self.column_of(&table) {
                return Ok((table, column));
            }
        }
        Err(miette!(
            code = code::UNKNOWN_NAME,
            help = "use --pictures to name a table with both columns",
            "no table has both a column `{}` and a column of images",
            self.key
        ))
    }

    fn column_of(&self, table: &Table) -> Option<String> {
        table.schema.get(self.key)?;
        let images = table.schema.iter().filter(|(_, kind)| is_image(kind)).map(|(name, _)| name.as_str());
        let images: Vec<&str> = images.collect();
        let asked = |column: &&str| images.contains(column);
        match self.column {
            Some(column) => Some(column).filter(asked).map(str::to_owned),
            None => PREFERRED.into_iter().find(asked).or(images.first().copied()).map(str::to_owned),
        }
    }
}
