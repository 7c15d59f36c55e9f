//! One suite for every store: each sentence of `moorline_work::Op`, `Store` and `Reader` as a test,
//! run on each store.

#[path = "conformance/batch.rs"]
mod batch;
#[path = "conformance/claim.rs"]
mod claim;
#[path = "conformance/event.rs"]
mod event;
#[path = "conformance/finish.rs"]
mod finish;
#[path = "conformance/lease.rs"]
mod lease;
#[path = "conformance/prune.rs"]
mod prune;
#[path = "conformance/read.rs"]
mod read;
#[path = "conformance/requeue.rs"]
mod requeue;
#[path = "conformance/retry.rs"]
mod retry;
#[path = "conformance/submit.rs"]
mod submit;
#[path = "conformance/worker.rs"]
mod worker;
#[path = "conformance/world.rs"]
mod world;

/// Makes a test of each sentence for each store.
macro_rules! sentences {
    ($($concept:ident: $($sentence:ident)*;)*) => {
        mod memory {
            $($(#[test] fn $sentence() { crate::$concept::$sentence(crate::world::World::memory()); })*)*
        }
        mod sqlite {
            $($(#[test] fn $sentence() { crate::$concept::$sentence(crate::world::World::sqlite()); })*)*
        }
    };
}

sentences! {
    submit:
        a_submitted_task_is_queued_and_its_order_grows
        submitting_the_same_again_conflicts_and_says_that_it_is_the_same
        a_task_that_differs_in_anything_is_not_the_same
        a_task_is_the_same_after_it_has_ended
        a_task_submitted_with_a_claim_is_not_claimed_again_by_that_epoch
        a_task_submitted_with_a_lease_is_leased_as_one_that_was_queued_before
        a_task_submitted_with_a_lease_goes_every_way_a_leased_one_goes
        a_lease_that_is_submitted_under_an_id_that_is_taken_leases_nothing;
    claim:
        a_claim_goes_by_priority_and_then_by_order
        a_claim_takes_at_most_its_limit_and_says_whether_there_is_more
        what_one_epoch_claimed_it_does_not_claim_again
        a_claim_of_a_dead_epoch_is_void
        a_claim_takes_only_ready_tasks_of_its_handler
        a_claim_says_when_the_next_waiting_task_of_its_handler_is_ready
        a_claim_answers_the_task_with_its_history
        an_unclaimed_task_is_claimed_again
        only_a_queued_task_is_unclaimed;
    lease:
        a_lease_needs_a_queued_task_and_the_next_attempt_and_answers_the_payload
        a_lease_that_comes_too_late_says_how_the_task_stands
        a_commit_tells_how_long_those_had_waited_that_it_gave_out_first
        a_task_leased_with_its_submission_has_waited_for_nothing
        the_oldest_queued_task_is_the_one_that_was_submitted_first
        leases_are_read_with_all_that_a_new_life_needs
        a_queued_or_leased_task_is_adopted_only_from_its_last_attempt
        an_adopted_attempt_fences_the_old_one
        a_task_that_has_ended_is_neither_leased_nor_adopted
        a_lookup_says_where_a_task_stands;
    requeue:
        a_returned_task_counts_for_nothing_and_stays_claimed
        a_lost_task_counts_as_lost_and_stays_claimed
        a_retry_counts_waits_and_is_not_claimed
        a_retry_without_a_delay_is_ready_at_once
        only_the_current_attempt_returns_a_task
        a_lease_of_an_earlier_life_returned_by_this_one_is_claimed_by_this_one
        a_retry_waits_no_longer_when_the_clock_was_set_back_between_two_lives;
    retry:
        whatever_ended_without_a_result_is_queued_again_with_its_payload
        a_task_cancelled_before_its_first_attempt_is_queued_again
        a_success_is_never_retried
        what_has_not_ended_is_not_retried_and_asking_twice_is_asking_once
        a_late_success_of_an_attempt_before_the_retry_counts_once
        a_retried_task_is_adopted_by_the_worker_that_still_runs_it
        a_retried_task_is_pruned_after_its_new_end_only;
    finish:
        the_current_attempt_succeeds_and_the_result_is_applied_once
        a_late_success_of_an_earlier_attempt_ends_the_task
        a_success_of_an_attempt_that_was_requeued_ends_the_task
        a_success_of_an_attempt_never_given_out_is_refused
        after_a_success_every_other_end_is_refused_and_told_who_ended_it
        only_the_current_attempt_fails
        only_the_current_attempt_is_dead_and_it_counts_as_lost
        a_cancel_is_confirmed_by_the_current_attempt_or_while_none_is_current
        an_empty_result_is_a_result
        a_cancel_ends_a_queued_task_and_marks_a_leased_one
        a_mark_survives_the_return_to_the_queue
        a_success_wins_over_a_cancel_that_is_not_confirmed
        the_last_error_stays_until_a_success;
    worker:
        a_worker_is_remembered_and_its_latest_process_replaces_the_last
        workers_of_any_identity_are_told_apart;
    batch:
        a_conflict_leaves_the_rest_of_its_batch_alone
        an_operation_sees_what_came_before_it_in_its_batch
        the_same_batch_again_changes_nothing
        an_empty_batch_is_answered_by_nothing
        epochs_are_never_used_twice;
    read:
        a_task_is_read_with_all_it_has
        tasks_are_listed_latest_first_in_pages
        tasks_are_listed_by_state
        a_reader_sees_what_is_committed_and_never_a_part_of_a_batch
        counts_count_every_state
        large_and_odd_values_come_back_as_they_were;
    prune:
        only_tasks_that_ended_long_ago_go
        the_oldest_of_too_many_go
        what_is_not_ended_stays_whatever_its_age
        one_call_deletes_a_bounded_number
        what_is_beyond_the_retention_does_not_grow_whatever_the_rate
        pruning_is_due_again_only_when_as_much_came_as_a_call_deletes
        a_pruned_task_is_unknown_and_its_id_free_again
        the_ledger_goes_with_its_task;
    event:
        what_happens_to_a_task_is_written_down_with_it
        a_submission_that_leases_leaves_the_events_of_both
        an_operation_that_changes_nothing_leaves_no_event
        what_is_handed_in_is_kept_as_it_is_with_the_time_it_happened
        every_filter_takes_exactly_what_fits_in_either_direction_in_pages
        a_timeline_is_whole_however_far_apart_its_events_are
        the_cursor_at_the_newest_end_is_the_last_event_whatever_was_asked_for
        old_events_and_too_many_go_and_the_last_one_stays
        one_call_deletes_a_bounded_number_of_events
        a_worker_that_is_gone_is_forgotten_after_a_while_unless_it_has_a_lease
        a_worker_is_found_by_its_name;
}
