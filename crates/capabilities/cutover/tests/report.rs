//! Reports as the journal keeps them.

use atalaya_cutover::{Outcome, Purpose, Report};

use crate::ground::{Ground, OLD, course};

/// More than one page of the journal.
const REHEARSALS: u64 = 700;

fn report(epoch: u64, outcome: Outcome) -> Report {
    let purpose = if outcome == Outcome::Rehearsed { Purpose::Rehearse } else { Purpose::Flip };
    let mut json = serde_json::json!({
        "format": 1, "epoch": epoch, "resumed": false, "pause_us": 0, "stages": [], "gateways": [], "sessions_ended": 0,
        "sessions_beyond_reach": 0, "rows_proven": 0, "unproven": [], "sequences": 0, "fenced_at": null, "marker": null,
        "remarks": []
    });
    for part in [serde_json::to_value(course(purpose)).unwrap(), serde_json::to_value(outcome).unwrap()] {
        json.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
    }
    serde_json::from_value(json).unwrap()
}

#[tokio::test]
async fn flips_are_found_in_their_order_behind_any_number_of_rehearsals() {
    let ground = Ground::sqlite();
    let routes = ground.routes().await;
    assert_eq!(Report::flips(routes.store(), OLD).await.unwrap(), []);
    let closed = Outcome::Closed { by: "somebody".to_owned(), reason: "too late".to_owned() };
    let kept = [report(1, Outcome::Flipped), report(2, closed), report(3, Outcome::Flipped)];
    let rehearsed = (4..4 + REHEARSALS).map(|epoch| report(epoch, Outcome::Rehearsed));
    for report in kept.into_iter().chain(rehearsed).chain([report(4 + REHEARSALS, Outcome::Flipped)]) {
        Report::record(&[report], routes.store()).await.unwrap();
    }
    let flips = Report::flips(routes.store(), OLD).await.unwrap();
    let epochs: Vec<u64> = flips.iter().map(|flip| flip.report.epoch).collect();
    assert_eq!(epochs, [1, 3, 4 + REHEARSALS]);
}
