//! Contents of the pages.

use crate::browser::Browser;
use crate::project::Project;

#[test]
fn the_overview_of_a_new_project_shows_what_to_do() {
    let project = Project::new();
    let page = Browser::of(&project).page("/");
    assert!(page.contains("2 of 4 stages would run, and 2 may run."), "{page}");
    assert!(page.contains("There are no runs yet") && page.contains("callsheet run"), "{page}");
    assert!(page.contains("not computed yet"), "{page}");
}

#[test]
fn the_overview_shows_what_a_run_would_do_and_why() {
    let project = Project::new();
    project.run();
    let browser = Browser::of(&project);
    let page = browser.page("/");
    assert!(page.contains("Every stage is up to date: 4 stages."), "{page}");
    assert!(page.contains("second.copy") && page.contains("/run/2"), "{page}");
    project.write("data/raw/a.txt", "other content\n");
    let page = browser.page("/");
    assert!(page.contains("1 of 4 stages would run, and 1 may run: "), "{page}");
    assert!(page.contains("input from: a.txt changed"), "{page}");
}

#[test]
fn the_page_of_a_run_shows_the_state_of_each_stage_and_the_reasons() {
    let project = Project::new();
    project.run();
    project.callsheet(&["run", "--set", "second.word=<two>"]);
    let browser = Browser::of(&project);
    let page = browser.page("/run/latest");
    assert!(page.contains("--set second.word=&lt;two&gt;"), "{page}");
    assert!(page.contains("svg class=\"graph\"") && page.contains("/stage/second"), "{page}");
    assert!(!page.contains("run.js"), "a page of a run that has ended needs no script");
    let page = browser.page("/run/latest/stage/second");
    assert!(
        page.contains("word: &quot;one&quot; → &quot;&lt;two&gt;&quot;"),
        "the reason has the old and the new value: {page}"
    );
    assert!(page.contains("copies &lt;two&gt;") && page.contains("Copies &lt;b&gt;a file"), "{page}");
    let page = browser.page("/run/latest/stage/first");
    assert!(page.contains("its result was in the store"), "{page}");
    let log = browser.answer("/run/latest/stage/second/log");
    assert_eq!(log.header("content-disposition"), Some("attachment; filename=\"second.log\""));
    assert!(log.body.contains("copies <two>"), "{}", log.body);
}

#[test]
fn the_page_of_a_failed_run_shows_the_error() {
    let project = Project::new();
    project.write("data/raw/third.sh", "echo '<script>alert(1)</script>' >&2; exit 3\n");
    project.callsheet(&["run"]);
    let browser = Browser::of(&project);
    let page = browser.page("/run/latest");
    assert!(page.contains("third</a> failed: "), "{page}");
    let page = browser.page("/run/latest/stage/third");
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert"), "{page}");
}

#[test]
fn a_link_with_nonsense_in_it_leads_to_a_page_that_helps() {
    let project = Project::new();
    project.run();
    let browser = Browser::of(&project);
    for (path, help) in [
        ("/nothing", "the overview links to all pages"),
        ("/run/none", "unknown run `none`"),
        ("/run/latest~9", "unknown run `latest~9`"),
        ("/run/..%2F..%2Fetc", "unknown run"),
        ("/run/latest/stage/frst", "did you mean `first`?"),
        ("/run/latest/stage/..%2F..%2Frun", "has no stage"),
        ("/run/latest/stage/..%2Frun/log", "has no stage"),
        ("/run/latest/stage/%3Cb%3E", "has no stage `&lt;b&gt;`"),
        ("/assets/..%2FCargo.toml", "the pages have no file"),
    ] {
        let answer = browser.answer(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains(help), "{path}: {}", answer.body);
    }
}

#[test]
fn an_invalid_declaration_is_shown_with_its_place_and_the_page_recovers() {
    let project = Project::new();
    let browser = Browser::of(&project);
    let pipeline = std::fs::read_to_string(project.path("pipelines/main.toml")).expect("text");
    project.write("pipelines/main.toml", &pipeline.replace("first.copy", "frist.copy"));
    let answer = browser.answer("/");
    assert_eq!(answer.status, 500);
    assert!(answer.body.contains("frist") && answer.body.contains("first"), "{}", answer.body);
    project.write("pipelines/main.toml", &pipeline);
    browser.page("/");
}

#[test]
fn the_page_of_a_stage_shows_its_curves_and_its_images() {
    let project = Project::new();
    project.write("data/raw/third.sh", concat!(
        "base64 -d > \"$CALLSHEET_EVENTS.png\" <<END\n",
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==\nEND\n",
        "for step in 1 2 3; do\n",
        "echo \"{\\\"metric\\\":{\\\"name\\\":\\\"loss/all\\\",\\\"step\\\":$step,\\\"value\\\":0.$step}}\"\n",
        "echo \"{\\\"image\\\":{\\\"name\\\":\\\"a/b\\\",\\\"step\\\":$step,\\\"path\\\":\\\"$CALLSHEET_EVENTS.png\\\"}}\"\n",
        "done >> \"$CALLSHEET_EVENTS\"\n",
    ));
    project.run();
    let browser = Browser::of(&project);
    let page = browser.page("/run/latest/stage/third");
    assert!(page.contains("loss/all by step") && page.contains("a/b, step 3"), "{page}");
    let (_, address) = page.split_once("<img src=\"").expect("an image");
    let (address, _) = address.split_once('"').expect("its address");
    let answer = browser.raw(address);
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("content-type: image/png"), "{text}");
    assert!(answer.windows(4).any(|bytes| bytes == b"\x89PNG"), "{text}");
    for wrong in ["third/sample/..%2F..%2Frun.json", "third/sample/a-1.png", "..%2F..%2Fx/sample/a-1.png"] {
        assert_eq!(browser.answer(&format!("/run/latest/stage/{wrong}")).status, 404, "{wrong}");
    }
}

#[test]
fn a_long_log_is_shown_from_its_end_and_saved_whole() {
    let project = Project::new();
    project.write(
        "data/raw/third.sh",
        "i=0; while [ $i -lt 40000 ]; do i=$((i+1)); echo \"line $i of the log\"; done\n",
    );
    project.run();
    let browser = Browser::of(&project);
    let page = browser.page("/run/latest/stage/third");
    assert!(page.contains("line 40000 of the log") && !page.contains("line 1 of the log"), "{}", page.len());
    assert!(page.contains("the whole log") && page.len() < 200_000, "{}", page.len());
    let log = String::from_utf8(browser.raw("/run/latest/stage/third/log")).expect("text");
    assert!(log.contains("\nline 1 of the log\n") && log.contains("\nline 40000 of the log\n"));
    assert!(log.len() > 800_000, "{}", log.len());
}
