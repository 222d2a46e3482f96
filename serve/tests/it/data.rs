//! Pages of artifacts.

use std::fs;

use crate::browser::Browser;
use crate::project::Project;

/// A picture of one pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\nIDATx\x9cc\0\x01\
\0\0\x05\0\x01\r\n-\xb4\0\0\0\0IEND\xaeB`\x82";

/// Project with a table of 120 orders, and one of three images, the second of which is damaged.
fn project() -> Project {
    let project = Project::new();
    let stage = "summary = \"Counts rows\"\nversion = 1\ncommand = [\"sh\", \"-c\", 'echo counted > \"$1\"', \"count\", \"{outputs.count}\"]\n\
                 [inputs.rows]\nkind = \"table\"\ndoc = \"Any table\"\n[outputs.count]\nkind = \"file\"\npath = \"count.txt\"\n\
                 doc = \"A text\"\n";
    project.write("stages/count/stage.toml", stage);
    project.write(
        "pipelines/main.toml",
        "summary = \"Tables\"\n[sources.orders]\npath = \"data/raw/orders.csv\"\n\
         [sources.photos]\npath = \"data/raw/photos/*.png\"\n\
         [stages.count_orders]\nuse = \"count\"\ninputs.rows = \"orders\"\n\
         [stages.count_photos]\nuse = \"count\"\ninputs.rows = \"photos\"\n",
    );
    let orders: String = (1..=120).map(|n| format!("{n},<i>product {n}</i>,{n}.5\n")).collect();
    project.write("data/raw/orders.csv", &format!("order,product,price\n{orders}"));
    for name in ["a", "b", "c"] {
        project.write(&format!("data/raw/photos/{name}.png"), "");
        let bytes = if name == "b" { b"<svg onload=alert(1)>" } else { PNG };
        fs::write(project.path(&format!("data/raw/photos/{name}.png")), bytes).expect("written");
    }
    project
}

#[test]
fn the_rows_of_a_table_are_shown_page_by_page_and_the_address_has_the_position() {
    let project = project();
    project.run();
    let browser = Browser::of(&project);
    assert!(browser.page("/").contains("/data/read_table@orders/table"));
    let page = browser.page("/data/read_table@orders/table");
    assert!(page.contains("120 rows") && page.contains("rows 1–50 of 120"), "{page}");
    assert!(page.contains("&lt;i&gt;product 50&lt;/i&gt;") && !page.contains("product 51"), "{page}");
    assert!(page.contains("?view=table&amp;at=50") && !page.contains("previous"), "{page}");
    let page = browser.page("/data/read_table@orders/table?at=100");
    assert!(page.contains("rows 101–120 of 120") && page.contains("product 120"), "{page}");
    assert!(page.contains("?view=table&amp;at=50") && !page.contains("next →"), "{page}");
    for beyond in ["?at=120", "?at=9999999999", "?view=nonsense&at=119"] {
        let page = browser.page(&format!("/data/read_table@orders/table{beyond}"));
        assert!(page.contains("rows 120–120 of 120"), "{beyond}: {page}");
    }
}

#[test]
fn images_are_shown_as_a_grid_and_a_damaged_one_does_not_hide_the_others() {
    let project = project();
    project.run();
    let browser = Browser::of(&project);
    let page = browser.page("/data/read_table@photos/table");
    assert_eq!(page.matches("<img").count(), 3, "{page}");
    let addresses: Vec<&str> =
        page.split("<img src=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    for (row, address) in addresses.iter().enumerate() {
        let bytes = browser.raw(address);
        let text = String::from_utf8_lossy(&bytes);
        let kind = if row == 1 { "image/svg+xml" } else { "image/png" };
        assert!(text.contains(&format!("content-type: {kind}")), "{text}");
        assert!(!text.contains("onload"), "bytes of other types are never sent: {text}");
        assert_eq!(text.starts_with("HTTP/1.1 404"), row == 1, "{text}");
    }
    let page = browser.page("/data/read_table@photos/table?view=table");
    assert!(page.contains("b.png"), "{page}");
}

#[test]
fn files_are_shown_and_wrong_addresses_are_explained() {
    let project = project();
    project.run();
    let browser = Browser::of(&project);
    assert!(browser.page("/data/count_orders/count").contains("counted"));
    for (path, help) in [
        ("/data/count_order/count", "did you mean `count_orders`?"),
        ("/data/count_orders/cont", "did you mean `count`?"),
        ("/data/..%2F..%2Fstore/count", "there is no result of stage"),
    ] {
        let answer = browser.answer(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains(help), "{path}: {}", answer.body);
    }
    let page = browser.page("/data/read_table@photos/table");
    let image = page.split("<img src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an image");
    let (address, version) = image.split_once("0?v=").expect("an address with a version");
    let column = address.trim_end_matches('/').rsplit_once('/').expect("a column").1;
    let of = |column: &str, row: &str| {
        browser.answer(&format!("/data/read_table@photos/table/image/{column}/{row}?v={version}"))
    };
    for (answer, status, help) in [
        (of("nothing", "0"), 404, "has no column `nothing`"),
        (of("path", "0"), 422, "has the type `string`"),
        (of(column, "3"), 404, "row 3 does not exist"),
        (of(column, "-1"), 400, "the address has a value that is not valid"),
    ] {
        assert_eq!(answer.status, status, "{help}");
        assert!(answer.body.contains(help), "{help}: {}", answer.body);
    }
    project.write("data/raw/photos/d.png", "another");
    project.run();
    for old in [image.to_owned(), image.replace(version, ""), address.to_owned() + "0"] {
        let answer = browser.answer(&old);
        assert_eq!(answer.status, 404, "{old}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.body.contains("reload the page"), "{}", answer.body);
    }
    for nonsense in ["?at=-1", "?at=x", "?at=99999999999999999999999", "?view=a&view=b"] {
        let answer = browser.answer(&format!("/data/read_table@photos/table{nonsense}"));
        assert_eq!(answer.status, 400, "{nonsense}");
        assert!(answer.body.contains("the overview links to all pages"), "{}", answer.body);
    }
}

#[test]
fn rows_are_selected_by_conditions_and_sorted_and_the_links_keep_both() {
    let project = project();
    project.run();
    let browser = Browser::of(&project);
    let table = |query: &str| browser.page(&format!("/data/read_table@orders/table?{query}"));
    let page = table("where=price:100..,order:..102&sort=-order");
    assert!(page.contains("rows 1–3 of 3"), "{page}");
    let orders: Vec<usize> =
        ["product 102", "product 101", "product 100"].map(|text| page.find(text).expect("a row")).into();
    assert!(orders.is_sorted(), "the largest order comes first: {page}");
    assert!(page.contains("aria-sort=\"descending\""), "{page}");
    let page = table("where=product:*product%201*&sort=price");
    assert!(page.contains("rows 1–32 of 32"), "product 1, 10 to 19, and 100 to 120: {page}");
    assert!(page.contains("where=product%3A*product+1*&amp;sort=-price"), "{page}");
    assert!(table("where=price:0..0").contains("No row satisfies the conditions."));
    let page = table("sort=product&at=50");
    assert!(
        page.contains("?view=table&amp;sort=product&amp;at=100")
            && page.contains("?view=table&amp;sort=product&amp;at=0"),
        "{page}"
    );
    for (query, status, help) in [
        ("where=prise:3", 404, "did you mean `price`?"),
        ("where=price", 422, "write conditions as COLUMN:VALUE"),
        ("where=price:cheap", 422, "has numbers, and `cheap` is not one"),
        ("sort=%3Cb%3E", 404, "no column `&lt;b&gt;`"),
    ] {
        let answer = browser.answer(&format!("/data/read_table@orders/table?{query}"));
        assert_eq!(answer.status, status, "{query}");
        assert!(answer.body.contains(help), "{query}: {}", answer.body);
    }
}

#[test]
fn names_with_any_characters_lead_to_their_pages() {
    let project = project();
    let pipeline = "summary = \"Words\"\n[sources.photo]\npath = \"data/raw/photos/a.png\"\n\
                    [stages.each]\nuse = \"copy\"\ninputs.from = \"photo\"\n\
                    foreach.word = [\"a/b\", \"x y\", \"50%\", \"0.5\", \"ü?#\"]\nparams.word = \"{word}\"\n";
    project.write("pipelines/words.toml", pipeline);
    let output = project.callsheet(&["run", "-p", "words"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let browser = Browser::of_pipeline(&project, "words");
    let hrefs = |page: &str| -> Vec<String> {
        let starts = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        starts
            .filter(|href| href.starts_with("/data/") || href.starts_with("/run/"))
            .map(str::to_owned)
            .collect()
    };
    let overview = browser.page("/");
    let data: Vec<String> = hrefs(&overview).into_iter().filter(|href| href.starts_with("/data/")).collect();
    assert_eq!(data.len(), 5, "{overview}");
    for href in &data {
        let page = browser.page(href);
        let image =
            page.split("<img src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an image");
        let bytes = browser.raw(image);
        assert!(bytes.starts_with(b"HTTP/1.1 200"), "{image}");
    }
    let stages = hrefs(&browser.page("/run/latest"));
    assert_eq!(stages.len(), 5, "{stages:?}");
    stages.iter().for_each(|href| assert!(browser.page(href).contains("copies "), "{href}"));
}
