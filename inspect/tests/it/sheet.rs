//! Tests of `callsheet sheet` and `callsheet curate --sql` with the real binaries.

use std::fmt::Write as _;
use std::fs;
use std::io::Cursor;

use crate::project::Project;
use crate::snapshot::assert_output;
use image::{ImageFormat, Rgb, RgbImage};

const PAIRS: (&str, &str) = ("pairs", "image_id = \"string\", b = \"image\"");
const CLUSTERS: (&str, &str) =
    ("clusters", "image_id = \"string\", cluster = \"int32\", distance = \"float64\"");

/// Table of pictures as JSON lines; each picture has a single colour.
fn pairs(count: usize) -> String {
    (0..count).fold(String::new(), |mut rows, n| {
        let picture = RgbImage::from_pixel(64, 64, Rgb([n as u8 * 10, 0, 200]));
        let mut png = Cursor::new(Vec::new());
        picture.write_to(&mut png, ImageFormat::Png).expect("a PNG");
        let hex: String = png.into_inner().iter().map(|byte| format!("{byte:02x}")).collect();
        let _ = writeln!(
            rows,
            "{{\"image_id\":\"v#{n}/c0\",\"b\":{{\"bytes\":\"{hex}\",\"path\":\"{n}.png\"}}}}"
        );
        rows
    })
}

fn clusters(count: usize) -> String {
    let row = |n: usize| format!("{{\"image_id\":\"v#{n}/c0\",\"cluster\":{},\"distance\":{n}}}\n", n % 2);
    (0..count).map(row).collect()
}

fn project() -> Project {
    let triplets = "{\"anchor_id\":\"v#1/c0\",\"positive_id\":\"v#3/c0\",\"negative_id\":\"v#2/c0\",\
                    \"positive_distance\":1.0,\"negative_distance\":9.0}\n\
                    {\"anchor_id\":\"v#5/c0\",\"positive_id\":\"v#7/c0\",\"negative_id\":\"v#4/c0\",\
                    \"positive_distance\":1.0,\"negative_distance\":2.0}\n";
    let columns = "anchor_id = \"string\", positive_id = \"string\", negative_id = \"string\", \
                   positive_distance = \"float64\", negative_distance = \"float64\"";
    let project = Project::new(&[
        (PAIRS.0, PAIRS.1, &pairs(20)),
        (CLUSTERS.0, CLUSTERS.1, &clusters(20)),
        ("triplets", columns, triplets),
        ("plain", "name = \"string\"", "{\"name\":\"x\"}\n"),
    ]);
    project.run();
    project
}

/// Red value of every picture on a sheet, row by row. A picture that occurs twice is listed twice.
fn reds(project: &Project, file: &str) -> Vec<u8> {
    let sheet = image::open(project.path(file)).expect("a picture").into_rgb8();
    let mut reds = Vec::new();
    let blue = |x: u32, y: u32| sheet.get_pixel(x, y).0[1] == 0 && sheet.get_pixel(x, y).0[2] == 200;
    for y in 1..sheet.height() {
        for x in 1..sheet.width() {
            // This is the upper left corner of a picture.
            if blue(x, y) && !blue(x - 1, y) && !blue(x, y - 1) {
                reds.push(sheet.get_pixel(x, y).0[0] / 10);
            }
        }
    }
    reds
}

fn draw(project: &Project, words: &[&str]) -> Vec<u8> {
    let said = project.callsheet(&[&["sheet"], words, &["--output", "sheet.png"]].concat());
    assert_eq!(said.code, Some(0), "{}", said.err);
    reds(project, "sheet.png")
}

#[test]
fn a_table_of_images_needs_no_certain_names_of_columns() {
    let photos = pairs(5).replace("image_id", "file").replace("\"b\":", "\"photo\":");
    let project = Project::new(&[("photos", "file = \"string\", photo = \"image\"", &photos)]);
    project.run();
    let mut drawn = draw(&project, &["photos"]);
    drawn.sort_unstable();
    assert_eq!(drawn, [0, 1, 2, 3, 4]);
}

#[test]
fn clusters_are_rows_of_the_images_nearest_to_the_centre_and_farthest() {
    let project = project();
    let drawn = draw(&project, &["clusters", "--columns", "4"]);
    assert_eq!(drawn, [0, 2, 16, 18, 1, 3, 17, 19]);
    assert_eq!(draw(&project, &["clusters", "--columns", "2", "--rows", "1"]), [0, 18]);
}

#[test]
fn triplets_are_rows_of_anchor_positive_and_negative() {
    let project = project();
    assert_eq!(draw(&project, &["triplets"]), [1, 3, 2, 5, 7, 4]);
    assert_eq!(draw(&project, &["triplets", "--hardest", "--rows", "1"]), [5, 7, 4]);
}

#[test]
fn images_are_drawn_in_the_order_of_the_query() {
    let project = project();
    let query = "select image_id, distance from clusters where cluster = 1 order by distance desc limit 3";
    assert_eq!(draw(&project, &["--sql", query]), [19, 17, 15]);
    let query = "select image_id from pairs order by image_id limit 2";
    assert_eq!(draw(&project, &["--sql", query]), [0, 1]);
    assert_eq!(draw(&project, &["pairs", "--columns", "5"]).len(), 20);
    assert_eq!(
        draw(&project, &["clusters", "--where", "distance < 4"]),
        [0, 2, 1, 3],
        "a cluster of two images has no far ones"
    );
}

#[test]
fn the_closest_pairs_are_drawn_once_whichever_of_the_two_names_the_other() {
    let pair = |a: usize, b: usize, distance: f64| {
        format!("{{\"image_id\":\"v#{a}/c0\",\"neighbour_id\":\"v#{b}/c0\",\"distance\":{distance}}}\n")
    };
    let near = [pair(3, 1, 0.5), pair(2, 1, 1.0), pair(1, 2, 1.0), pair(5, 4, 9.0)].concat();
    let columns = "image_id = \"string\", neighbour_id = \"string\", distance = \"float64\"";
    let project = Project::new(&[(PAIRS.0, PAIRS.1, &pairs(9)), ("near", columns, &near)]);
    project.run();
    assert_eq!(draw(&project, &["near", "--nearest", "--columns", "3"]), [1, 3, 1, 2, 4, 5]);
}

#[test]
fn a_sheet_that_cannot_be_drawn_is_refused_and_none_is_written() {
    let project = project();
    let told = [
        &["plain"][..],
        &["clusters", "--where", "cluster = 9"],
        &["clusters", "--pictures", "plain"],
        &["clutsers"],
        &["--sql", "select 'v#99/c0' as image_id from plain"],
    ]
    .map(|words| project.refused(&[&["sheet"], words, &["--output", "no.png"]].concat()));
    assert_output!(told.concat());
    assert!(!project.path("no.png").exists());
    let rows = fs::read_to_string(project.path("data/raw/pairs.ndjson")).expect("readable");
    // Only the first picture is damaged: with several damaged pictures, the one in the error would be random.
    project.rows("pairs", &rows.replacen("49444154", "00000000", 1));
    project.run();
    assert_output!(project.refused(&["sheet", "clusters", "--output", "no.png"]));
}

#[test]
fn frames_that_a_query_selects_are_excluded_and_wrong_queries_are_refused() {
    let project = Project::new(&[("frames", "frame_id = \"string\", dark = \"bool\"", "")]);
    let rows = |n: usize| format!("{{\"frame_id\":\"v#{n:06}\",\"dark\":{}}}\n", n.is_multiple_of(3));
    project.rows("frames", &(0..9).map(rows).collect::<String>());
    project.write(
        "stages/pick/stage.toml",
        "summary = \"Takes frames\"\nversion = 1\ncommand = [\"sh\", \"-c\", 'cat \"$1\" > \"$2\"', \"cat\", \
         \"{inputs.frames}\", \"{outputs.picked}\"]\n\
         [inputs.frames]\nkind = \"table\"\ndoc = \"Frames\"\n\
         [inputs.curation]\nkind = \"files\"\noptional = true\n\
         verdicts = { input = \"frames\", key = \"frame_id\" }\ndoc = \"Verdicts\"\n\
         [outputs.picked]\nkind = \"file\"\npath = \"picked\"\ndoc = \"Frames\"\n",
    );
    let pipeline = fs::read_to_string(project.path("pipelines/tables.toml")).expect("readable");
    let more = "[sources.curation]\npath = \"pipelines/curation/{dataset}.csv\"\n\
                [stages.pick]\ninputs.frames = \"make_frames.frames\"\ninputs.curation = \"curation\"\n";
    project.write("pipelines/tables.toml", &format!("{pipeline}{more}"));
    project.run();
    let curate = |query: &str| {
        project.callsheet(&["curate", "--sql", query, "--reason", "dark", "--author", "a curator"])
    };
    let said = curate("select frame_id from frames where dark");
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_output!(said.out);
    let file = fs::read_to_string(project.path("pipelines/curation/any.csv")).expect("written");
    let ids: Vec<&str> = file.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(ids, ["v#000000", "v#000003", "v#000006"]);
    let before = file.clone();
    let refused = |query: &str| {
        let said = curate(query);
        assert_eq!(said.code, Some(2), "{query}");
        said.err
    };
    assert_output!(curate("select frame_id from frames where dark").out);
    let told = [
        "select frame_id from frames where false",
        "select dark from frames",
        "select 'x' as frame_id from frames limit 1",
        "select frame_d from frames",
    ]
    .map(refused);
    assert_output!(told.concat());
    assert_eq!(fs::read_to_string(project.path("pipelines/curation/any.csv")).expect("there"), before);
}
