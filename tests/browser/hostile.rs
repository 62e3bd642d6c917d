//! Names that want to be more than text are text.

use serde_json::json;

use super::*;

#[test]
fn names_are_text_whatever_they_are() {
    let Some(browser) = Browser::start(1300, 1000) else {
        return;
    };
    let name =
        "</script><script>window.hit=1</script><img src=x onerror=window.hit=2>\"'\u{2028}&amp;";
    let folder = tempfile::tempdir().expect("a folder");
    for (version, path) in [
        (Version::Rma, "rma"),
        (Version::Collective, "<b onclick='hit=3'>\"&"),
    ] {
        let mut run = Synthetic::new(version, 3, 1, 1);
        run.info.hosts = vec![name.into(); 3];
        run.info.think = name.into();
        run.info.mpi_library = name.into();
        run.write(&folder.path().join(path));
    }
    let report = report(folder.path(), &["rma", "<b onclick='hit=3'>\"&"]);
    browser.open(&report.page);
    browser.click("lanes-0", 100.0, 10.0);
    browser.hover("lanes-1", 100.0, 10.0);
    let hosts = browser.script("return document.getElementById('followed').textContent");
    assert!(
        hosts.as_str().is_some_and(|text| text.contains(name)),
        "{hosts}"
    );
    let setup = browser.script("return document.querySelector('.setup').textContent");
    assert!(
        setup.as_str().is_some_and(|text| text.contains(name)),
        "{setup}"
    );
    assert_eq!(
        browser.script(
            "return [typeof window.hit, document.querySelectorAll('img, b[onclick]').length]"
        ),
        json!(["undefined", 0])
    );
    browser.expect_silence();
}

#[test]
fn the_page_can_reach_nothing() {
    let Some((browser, _folder, _)) = browse(3, 1) else {
        return;
    };
    assert!(browser.n_files() >= 1, "requests are seen");
    browser.expect_silence();
    // The policy holds: whatever a script might try is refused, and the console says so.
    let refused = browser.script(
        "const image = new Image(); image.src = 'http://127.0.0.1:9/x.png'; document.body.append(image);
         try { new WebSocket('ws://127.0.0.1:9/') } catch (error) { return error.name }
         return 'tried'",
    );
    assert!(
        ["tried", "SecurityError"].contains(&refused.as_str().expect("text")),
        "{refused}"
    );
    let told = browser.log("browser").to_string();
    assert!(told.contains("Content Security Policy"), "{told}");
}
