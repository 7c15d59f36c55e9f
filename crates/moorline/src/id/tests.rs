use super::{TaskId, worker_of_name, worker_text};

#[test]
fn a_task_id_survives_text_and_json() {
    for number in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
        let task = TaskId::from(number);
        assert_eq!(task.to_string().len(), 26);
        assert_eq!(task.to_string().parse(), Ok(task));
        let json = serde_json::to_string(&task).unwrap();
        assert_eq!(serde_json::from_str::<TaskId>(&json).unwrap(), task);
    }
    assert_ne!(TaskId::generate(), TaskId::generate());
}

#[test]
fn a_text_that_is_no_id_is_refused_with_an_example() {
    for text in ["", "81", "01ARZ3NDEKTSV4RRFFQ69G5FA", "01ARZ3NDEKTSV4RRFFQ69G5FAVX", "../../etc"]
    {
        let error = text.parse::<TaskId>().unwrap_err();
        assert!(error.to_string().contains("01ARZ3NDEKTSV4RRFFQ69G5FAV"), "{error}");
    }
}

#[test]
fn the_identity_of_a_name_is_the_same_in_every_process_and_differs_between_names() {
    // printf 'moorline worker\0gpu-1' | sha256sum | cut -c 1-32
    assert_eq!(worker_text(worker_of_name("gpu-1")), "4426b08388e83d49095f445db3d00f93");
    assert_ne!(worker_of_name("gpu-1"), worker_of_name("gpu-2"));
}
