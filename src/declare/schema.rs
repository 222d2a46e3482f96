//! JSON Schemas of what users write, made from the structs that read it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema, schema_for};
use serde_json::{Value, json};

use super::foreach::Foreach;
use super::layer::LayerFile;
use super::project::ProjectFile;
use super::resources::{Bytes, Cpus, Seconds};
use super::scalar::{Scalar, name_pattern};
use super::stage_file::StageFile;

/// Of stage.toml.
pub fn stage_schema() -> Schema {
    schema_for!(StageFile)
}

/// Of pipeline, dataset and profile files.
pub fn pipeline_schema() -> Schema {
    schema_for!(LayerFile)
}

/// Of callsheet.toml.
pub fn project_schema() -> Schema {
    schema_for!(ProjectFile)
}

macro_rules! described {
    ($name:ident, $schema:expr) => {
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(schemas: &mut SchemaGenerator) -> Schema {
                let schema: fn(&mut SchemaGenerator) -> Schema = $schema;
                schema(schemas)
            }
        }
    };
}

described!(Cpus, |_| json_schema!({
    "description": "CPUs of those the run may use",
    "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "all" }]
}));
described!(Seconds, |_| json_schema!({ "type": "number", "exclusiveMinimum": 0 }));
described!(Bytes, |_| json_schema!({
    "description": "A number of bytes, or as in \"4 GB\"",
    "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string" }]
}));
described!(Foreach, |schemas| {
    let scalar = schemas.subschema_for::<Scalar>();
    let table = json!({ "type": "object", "minProperties": 1, "propertyNames": name_pattern() });
    let with = |values: Value| {
        let mut table = table.clone();
        table["additionalProperties"] = values;
        table
    };
    json_schema!({
        "description": "Lists of values, for every combination; a list of the combinations; or a stage that has the same",
        "anyOf": [
            { "type": "string" },
            with(json!({ "type": "array", "minItems": 1, "items": scalar })),
            { "type": "array", "minItems": 1, "items": with(json!(scalar)) }
        ]
    })
});
