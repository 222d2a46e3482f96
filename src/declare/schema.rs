//! JSON Schemas of the files that users write, generated from the structs that read them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema, schema_for};
use serde_json::{Value, json};

use super::foreach::Foreach;
use super::layer::LayerFile;
use super::project::ProjectFile;
use super::resources::{Bytes, Cpus, Seconds, TimeLimit};
use super::scalar::{Scalar, name_pattern};
use super::stage_file::StageFile;

/// Returns the JSON Schema of stage.toml.
pub fn stage_schema() -> Schema {
    schema_for!(StageFile)
}

/// Returns the JSON Schema of pipeline, dataset and profile files.
pub fn pipeline_schema() -> Schema {
    schema_for!(LayerFile)
}

/// Returns the JSON Schema of callsheet.toml.
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
    "description": "Number of CPUs, or \"all\" for all CPUs that the run may use",
    "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "all" }]
}));
described!(Seconds, |_| json_schema!({ "type": "number", "exclusiveMinimum": 0 }));
described!(TimeLimit, |_| json_schema!({
    "description": "Time such as \"12h\", \"90m\" or \"1h 30m\", at least \"1s\"",
    "type": "string"
}));
described!(Bytes, |_| json_schema!({
    "description": "Number of bytes, or a size such as \"4 GB\"",
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
        "description": "Lists of values, whose combinations are the instances; a list of combinations; or a stage whose values are copied",
        "anyOf": [
            { "type": "string" },
            with(json!({ "type": "array", "minItems": 1, "items": scalar })),
            { "type": "array", "minItems": 1, "items": with(json!(scalar)) }
        ]
    })
});
