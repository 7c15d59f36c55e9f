use std::time::{Duration, SystemTime};

use bytes::Bytes;
use moorline_work::TaskState;

use super::{Submit, SubmitBody, TaskInfo, text};
use crate::{Code, TaskId};

fn through_json(task: &Submit) -> Bytes {
    let json = serde_json::to_vec(&SubmitBody::of(task).unwrap()).unwrap();
    serde_json::from_slice::<SubmitBody>(&json).unwrap().take_input().unwrap()
}

#[test]
fn every_input_arrives_as_it_was_written() {
    let inputs: [&[u8]; 6] =
        [b"", b"\"you\"", b"{\"seconds\":30}", b"a\tb\r\n", b"\x00\x01", b"\xff\xfe"];
    for input in inputs {
        let task = Submit::new("echo", input.to_vec());
        assert_eq!(through_json(&task), input);
    }
    let text = serde_json::to_string(&SubmitBody::of(&Submit::new("echo", "{\"a\":1}")).unwrap());
    assert!(text.unwrap().contains(r#""input":"{\"a\":1}""#), "text stays readable");
}

#[test]
fn an_input_of_the_largest_size_fits_the_body_and_a_larger_one_is_refused() {
    for byte in [b'"', b'\n', 0u8, 0xff] {
        let task = Submit::new("echo", vec![byte; super::INPUT_MAX]);
        let body = serde_json::to_vec(&SubmitBody::of(&task).unwrap()).unwrap();
        assert!(body.len() <= super::submit::SUBMIT_BODY_MAX, "{byte}: {}", body.len());
    }
    let error = SubmitBody::of(&Submit::new("echo", vec![0; super::INPUT_MAX + 1])).unwrap_err();
    assert_eq!(error.code(), Code::TOO_LARGE);
}

#[test]
fn a_request_with_two_inputs_bad_base64_or_unknown_fields_is_refused() {
    let parse = |json: &str| serde_json::from_str::<SubmitBody>(json).unwrap().take_input();
    assert!(parse(r#"{"type":"echo","input":"a","input_base64":"YQ=="}"#).is_err());
    assert!(parse(r#"{"type":"echo","input_base64":"?"}"#).is_err());
    assert_eq!(parse(r#"{"type":"echo"}"#).unwrap(), Bytes::new());
    assert!(serde_json::from_str::<SubmitBody>(r#"{"type":"echo","inptu":"a"}"#).is_err());
}

#[test]
fn a_task_is_written_with_the_words_of_the_api() {
    let task = TaskInfo {
        id: TaskId::from(1),
        kind: "resize".into(),
        state: TaskState::Succeeded,
        attempts: 2,
        worker: Some("gpu-1".into()),
        submitted_at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
        finished_at: None,
        error: None,
        priority: 0,
        retries: 0,
        max_retries: 0,
        lost: 1,
        cancel_requested: false,
        result_bytes: Some(3),
        cursor: 9,
    };
    let json = serde_json::to_string_pretty(&task).unwrap();
    insta::assert_snapshot!(json);
    assert_eq!(serde_json::from_str::<TaskInfo>(&json).unwrap(), task);
}

#[test]
fn every_task_state_has_a_word_that_is_read_back() {
    for state in TaskState::ALL {
        assert_eq!(text::parse_task_state(state.name()), Some(state));
    }
    assert_eq!(text::parse_task_state("running"), None);
}
