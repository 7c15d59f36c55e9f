//! Tasks through Redis: a stream of tasks with a consumer group, and a stream of results. Each side has
//! one connection and puts all it has to say into one round trip, which ends in reading what is next.
//! An empty task tells the worker that it is over.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, cmd, pipe};
use serde_json::Value;

use crate::Error;
use crate::load::{Load, PROBE, Window, place, task};

/// The stream of the tasks.
const TASKS: &str = "tasks";

/// The stream of the results.
const RESULTS: &str = "results";

/// The consumer group.
const WORKERS: &str = "workers";

/// Entries that stay in a stream: more than twice the largest window, so none goes unread.
const KEEP: u32 = 150_000;

/// How many entries are read at once.
const BATCH: u32 = 1_000;

/// How long a side waits for entries before it asks again, in ms.
const WAIT: u32 = 1_000;

/// Streams by name; their entries by id; of each the name of its only field, and the value.
type Read = Option<Vec<(String, Vec<(String, Vec<Vec<u8>>)>)>>;

async fn connect(at: &str) -> Result<MultiplexedConnection, Error> {
    let client = Client::open(format!("redis://{at}/"))?;
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
}

/// Adds an entry, and removes old ones.
fn add(stream: &str, value: &[u8]) -> Cmd {
    let mut add = cmd("XADD");
    add.arg(stream).arg("MAXLEN").arg("~").arg(KEEP).arg("*").arg("v").arg(value);
    add
}

/// What a pipeline that ends in reading has read: ids and values.
async fn read(
    server: &mut MultiplexedConnection,
    said: &Pipeline,
) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let (read,): (Read,) = said.query_async(server).await?;
    let entries = read.into_iter().flatten().flat_map(|(_, entries)| entries);
    entries
        .map(|(id, mut fields)| Ok((id, fields.pop().ok_or("an entry without a value")?)))
        .collect()
}

pub(crate) async fn submit(at: &str, load: Load) -> Result<Value, Error> {
    let mut server = connect(at).await?;
    let mut group = cmd("XGROUP");
    group.arg("CREATE").arg(TASKS).arg(WORKERS).arg("0").arg("MKSTREAM");
    group.exec_async(&mut server).await?;
    println!("READY");
    let mut last = "0".to_owned();
    let results = |last: &str| {
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(BATCH).arg("BLOCK").arg(WAIT).arg("STREAMS").arg(RESULTS).arg(last);
        read
    };
    add(TASKS, &task(PROBE)).exec_async(&mut server).await?;
    while last == "0" {
        let mut said = pipe();
        said.add_command(results(&last));
        if let Some((id, _)) = read(&mut server, &said).await?.pop() {
            last = id;
        }
    }

    // The server has it before it is asked for results: one sign of its end is enough.
    let mut window = Window::new(load, 1);
    let end = window.end();
    let mut due: Vec<u32> = (0..load.window).collect();
    let rounds = async {
        loop {
            let mut said = pipe();
            for place in due.drain(..) {
                said.add_command(add(TASKS, &window.open(place))).ignore();
            }
            said.add_command(results(&last));
            for (id, result) in read(&mut server, &said).await? {
                let place = place(&result)?;
                if window.heard(place)? {
                    due.push(place);
                }
                last = id;
            }
        }
    };
    // The rounds end with the time, or with an error.
    let over: Result<Result<(), Error>, _> = tokio::time::timeout_at(end, rounds).await;
    if let Ok(failed) = over {
        failed?;
    }
    // The first connection may wait for results still.
    add(TASKS, b"").exec_async(&mut connect(at).await?).await?;
    window.figures()
}

pub(crate) async fn work(at: &str) -> Result<(), Error> {
    let mut server = connect(at).await?;
    let mut tasks = cmd("XREADGROUP");
    tasks.arg("GROUP").arg(WORKERS).arg("worker").arg("COUNT").arg(BATCH);
    tasks.arg("BLOCK").arg(WAIT).arg("STREAMS").arg(TASKS).arg(">");
    let mut said = pipe();
    loop {
        said.add_command(tasks.clone());
        let due = read(&mut server, &said).await?;
        said = pipe();
        // The result is there before the task is gone.
        for (_, task) in &due {
            if task.is_empty() {
                return Ok(());
            }
            said.add_command(add(RESULTS, task)).ignore();
        }
        if !due.is_empty() {
            let mut done = cmd("XACK");
            done.arg(TASKS).arg(WORKERS);
            for (id, _) in &due {
                done.arg(id);
            }
            said.add_command(done).ignore();
        }
    }
}
