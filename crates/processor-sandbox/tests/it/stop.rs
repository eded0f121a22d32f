use std::{pin::pin, time::Duration};

use processor_sandbox::App;
use tokio::sync::oneshot;

use crate::support::{Sandbox, answer, config};

#[tokio::test]
async fn a_sandbox_that_is_told_to_stop_answers_what_hangs_and_ends() {
    let app = App::build(config()).await.unwrap();
    let sandbox = Sandbox::at(app.port().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let served = telemetry::spawn_detached(app.run_until(async { drop(stopped.await) }));

    let mut one = pin!(answer(sandbox.charge("tok_chargeTimeout", "key")));
    let mut other = pin!(answer(sandbox.charge("tok_chargeTimeout", "key")));
    // One of them hangs for sure, once the other is refused.
    let hanging = tokio::select! {
        refused = &mut one => { assert_eq!(refused.0, 409); other }
        refused = &mut other => { assert_eq!(refused.0, 409); one }
    };
    stop.send(()).unwrap();

    let ended = tokio::time::timeout(Duration::from_secs(9), served);
    let ((status, _), ended) = tokio::join!(hanging, ended);
    assert_eq!(status, 200);
    ended
        .expect("a hanging charge held up the end")
        .unwrap()
        .unwrap();
}
