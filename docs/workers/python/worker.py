"""A worker of moorline in plain Python: the protocol of docs/protocol.md over grpcio, and nothing else.

It is meant to be read beside the specification, and as a beginning for other languages. What it needs:

    pip install grpcio grpcio-tools
    python -m grpc_tools.protoc -I crates/wire/proto --python_out=build moorline/worker/v1/worker.proto
    PYTHONPATH=build python docs/workers/python/worker.py grpc://127.0.0.1:8740

Python 3.11 or newer. It has the handlers `echo` and `sleep` that `moorline conformance worker` asks for.
"""

import asyncio
import collections
import os
import pathlib
import random
import secrets
import signal
import sys
import time

import grpc
from google.protobuf.message import DecodeError
from moorline.worker.v1 import worker_pb2 as pb

METHOD = "/moorline.worker.v1.WorkerService/Attach"
PACKET_MAX = 65_536  # Larger ones are refused by gRPC itself, see dial().
PIECE = 60_000  # Bytes of a body in one packet: leaves room for what is beside them.
COST = 32  # What a message costs beside its body.
WINDOW_MESSAGES, WINDOW_BYTES = 256, 256 << 10  # How much may be under way to this worker, by lane.
SLOTS = 4
DIAL_APART = 0.1  # No two dials are closer than this.
# Reasons without a come_back: not by itself any more, and not before the longest delay.
NEVER = {3104, 3105, 3201, 3401, 3502, 3901, 3902}
SLOW = {2205, 2206, 3101, 3102, 3103, 3106, 3107, 3108}


async def echo(payload):
    return payload


async def sleep(payload):
    await asyncio.sleep(float(payload))
    return b""


HANDLERS = {"echo": echo, "sleep": sleep}


class Violation(Exception):
    """The coordinator said what the protocol does not allow: the connection is closed."""


class Outbox:
    """The sending half of a lane. It outlives connections; a new session has a new one."""

    def __init__(self, standing):
        self.credit = standing
        self.waiting = collections.deque()  # Not numbered yet.
        self.kept = collections.deque()  # Numbered, and not acknowledged.
        self.last = self.cost = self.written = 0

    def acknowledge(self, standing):
        if standing.received > self.last:
            raise Violation("more is acknowledged than was sent")
        self.credit = standing
        while self.kept and self.kept[0].seq <= standing.received:
            self.kept.popleft()

    def resume(self, standing):
        """On a new connection everything behind `received` is written again, under its number."""
        self.acknowledge(standing)
        self.written = standing.received

    def due(self):
        # The last message may exceed the bytes: only what was numbered before it counts.
        credit = self.credit
        while self.waiting and self.last < credit.credit_messages and self.cost < credit.credit_bytes:
            self.last += 1
            message = self.waiting.popleft()
            message.seq = self.last
            self.cost += COST + message.body_len
            self.kept.append(message)
        due = [message for message in self.kept if message.seq > self.written]
        self.written = self.last
        return due

    def is_empty(self):
        return not self.waiting and not self.kept


class Inbox:
    """The receiving half of a lane: order, duplicates, and bodies that come in parts."""

    def __init__(self):
        self.received = self.cost = 0
        self.begun = None

    def connected(self):
        self.begun = None  # What was half there begins again.

    def begin(self, message):
        if self.begun is not None:
            raise Violation("a message begins within another one")
        if message.seq > self.received + 1:
            raise Violation("a number was left out")
        self.begun = (message, bytearray(message.body))
        return self.whole()

    def more(self, part):
        if self.begun is None or (part.seq, part.offset) != (self.begun[0].seq, len(self.begun[1])):
            raise Violation("a part that does not fit")
        self.begun[1].extend(part.bytes)
        return self.whole()

    def whole(self):
        """The message and its body, once it is whole; none if it was processed before."""
        message, body = self.begun
        if len(body) > message.body_len:
            raise Violation("a body is longer than was said")
        if len(body) < message.body_len:
            return None
        self.begun = None
        if message.seq <= self.received:
            return None
        self.received = message.seq
        self.cost += COST + message.body_len
        return message, bytes(body)

    def standing(self):
        # Totals since the session began. All that was received is processed, so there is room again.
        return pb.Standing(
            received=self.received,
            credit_messages=self.received + WINDOW_MESSAGES,
            credit_bytes=self.cost + WINDOW_BYTES,
        )


class Held:
    """An attempt: it runs, or it has ended and is not settled."""

    def __init__(self, key):
        self.key = key
        self.task = None
        self.outcome = None  # None while it runs.
        self.body = b""
        self.said = False  # It has a number in this session: the lane delivers it.
        self.forgotten = False


def ident(key):
    return (key.task_high, key.task_low, key.attempt)


def identity(directory):
    """128 bits that are the same for every process of this worker: they are what makes it this worker."""
    file = pathlib.Path(directory) / "identity"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(secrets.token_hex(16))
    return int(file.read_text(), 16)


class Worker:
    def __init__(self, url, directory):
        self.target = url.removeprefix("grpc://")
        self.worker = identity(directory)
        self.incarnation = secrets.randbits(64) | 1  # This process.
        self.work = {}  # By (task, attempt): what is held, over any number of connections and sessions.
        self.session = None
        self.outbox = {}  # By lane.
        self.inbox = {}
        self.revoked = set()  # Keys that are refused for the rest of the session.
        self.ticket = None
        self.first_window = 1.0
        self.draining = self.left = False
        self.out = None  # What is to be written on this connection; None without one.
        self.active = False

    # -- Coming back ---------------------------------------------------------------------------------

    async def run(self):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.drain)
        failures = 0
        while not self.left and not (self.draining and not self.work):
            self.come_back, self.active_since = None, None
            await self.dial()
            if self.left:
                break
            if self.active_since and time.monotonic() - self.active_since > 30:
                failures = 0
            failures += 1
            delay = self.backoff(failures) if self.come_back is None else self.come_back
            if delay == "never":
                return 1
            await asyncio.sleep(delay)
        return 0

    def backoff(self, n):
        """The first dial is spread over what the Welcome said, so that a fleet does not come at once."""
        window = self.first_window
        if n == 1:
            return max(DIAL_APART, random.uniform(0, window))
        window = min(window, 60.0)
        return random.uniform(max(DIAL_APART, window / 2), max(window, min(60.0, 2.0 ** (n - 2))))

    def dismissed(self, away):
        if away.come_back == pb.COME_BACK_NEVER:
            self.come_back = "never"
        elif away.come_back == pb.COME_BACK_AFTER:
            self.come_back = max(DIAL_APART, away.after_us / 1e6)
        elif away.reason in NEVER:
            self.come_back = "never"
        elif away.reason in SLOW:
            self.come_back = 60.0
        # All others, and those that are not known, by the backoff.

    async def dial(self):
        options = [
            ("grpc.max_receive_message_length", PACKET_MAX),
            ("grpc.use_local_subchannel_pool", 1),  # Else gRPC's own backoff joins in.
            ("grpc.enable_http_proxy", 0),
        ]
        async with grpc.aio.insecure_channel(self.target, options=options) as channel:
            # Without a deserializer packets come as bytes, and what is none is seen here.
            call = channel.stream_stream(METHOD, request_serializer=pb.Packet.SerializeToString)()
            self.out = asyncio.Queue()
            tasks = [asyncio.create_task(self.write(call))]
            try:
                self.connected()
                await self.read(call, tasks)
            except (Violation, DecodeError, asyncio.TimeoutError, grpc.aio.AioRpcError) as error:
                print(f"the connection ended: {error!r}", file=sys.stderr, flush=True)
            finally:
                self.out, self.active = None, False
                for task in tasks:
                    task.cancel()
                call.cancel()

    # -- One connection ------------------------------------------------------------------------------

    async def write(self, call):
        """The only one who writes: packets leave in the order in which they were said."""
        while (packet := await self.out.get()) is not None:
            await call.write(packet)
        await call.done_writing()

    async def read(self, call, tasks):
        self.welcomed = False
        while True:
            # Any frame proves life; nothing else does. The answer to a Hello may take 10 s.
            patience = max(15.0, 3 * self.interval) if self.welcomed else 10.0
            packet = await asyncio.wait_for(call.read(), patience)
            if packet is grpc.aio.EOF:
                return
            for frame in pb.Packet.FromString(packet).frames:
                kind = frame.WhichOneof("kind")
                if kind is None:
                    continue  # Of a later version.
                handle = getattr(self, f"on_{kind}", None)
                if handle is None:
                    raise Violation(f"{kind} is no frame of a coordinator")
                if handle(getattr(frame, kind)) == "end":
                    return
                if kind == "welcome":
                    tasks.append(asyncio.create_task(self.beat_on()))
            self.flush()

    def say(self, **kind):
        if self.out is not None:
            self.out.put_nowait(pb.Packet(frames=[pb.Frame(**kind)]))

    def connected(self):
        hello = pb.Hello(
            version_min=1,
            version_max=1,
            worker_high=self.worker >> 64,
            worker_low=self.worker & (1 << 64) - 1,
            incarnation=self.incarnation,
            name=f"python-{self.worker:032x}"[:20],
            credit_c=pb.Credit(messages=WINDOW_MESSAGES, bytes=WINDOW_BYTES),
            credit_b=pb.Credit(messages=WINDOW_MESSAGES, bytes=WINDOW_BYTES),
            beat_interval_us=5_000_000,
            slots=SLOTS,
            handlers=sorted(HANDLERS),
            software="reference worker in Python",
            ticket=self.ticket,
            holds_work=bool(self.work),
        )
        self.ticket = None  # It is shown once.
        if self.session is not None:
            lane_c, lane_b = (self.inbox[lane].standing() for lane in (pb.LANE_C, pb.LANE_B))
            hello.resume.CopyFrom(pb.Resume(session=self.session, lane_c=lane_c, lane_b=lane_b))
        self.interval, self.beats = 5.0, 0
        self.say(hello=hello)

    def on_refused(self, refused):
        self.dismissed(refused)
        if refused.HasField("ticket"):
            self.ticket = refused.ticket
        return "end"

    def on_go_away(self, away):
        self.dismissed(away)
        return "end"

    def on_welcome(self, welcome):
        standings = {pb.LANE_C: welcome.lane_c, pb.LANE_B: welcome.lane_b}
        if welcome.resumed:
            for lane, standing in standings.items():
                self.outbox[lane].resume(standing)
                self.inbox[lane].connected()
        else:
            # Everything numbered is void. What is owed comes up in the inventory.
            self.outbox = {lane: Outbox(standing) for lane, standing in standings.items()}
            self.inbox = {lane: Inbox() for lane in standings}
            self.revoked.clear()
            for held in self.work.values():
                held.said = False
        self.session = welcome.session
        self.welcomed = True
        self.interval = min(max(welcome.beat_interval_us / 1e6, 1.0), 15.0)
        if welcome.HasField("first_window_us"):
            self.first_window = min(welcome.first_window_us / 1e6, 600.0)
        # Attempts that run, and results that the lane does not deliver by itself.
        self.items = [held for held in self.work.values() if not held.said]
        self.open = set(range(len(self.items)))
        for index, held in enumerate(self.items):
            item = pb.InventoryItem(index=index, key=held.key)
            if held.outcome is None:
                item.running.SetInParent()
            else:
                item.finished.outcome, item.finished.body_len = held.outcome, len(held.body)
            self.say(inventory_item=item)
        self.say(inventory_end=pb.InventoryEnd(count=len(self.items)))
        self.restored()

    def on_inventory_answer(self, answer):
        if answer.index not in self.open:
            raise Violation("an answer to nothing")
        self.open.remove(answer.index)
        held = self.items[answer.index]
        if answer.judgement == pb.JUDGEMENT_ADOPT:
            del self.work[ident(held.key)]
            held.key.attempt = answer.attempt
            self.work[ident(held.key)] = held
        elif answer.judgement == pb.JUDGEMENT_CANCEL and held.task is not None:
            held.task.cancel()
        elif answer.judgement in (pb.JUDGEMENT_DROP, pb.JUDGEMENT_UNKNOWN):
            self.forget(held)
        # CONTINUE and SEND: results are said once both sides are active, see flush().
        self.restored()

    def restored(self):
        if not self.open:
            self.say(active=pb.Active())

    def on_active(self, _):
        self.active, self.active_since = True, time.monotonic()

    # -- Heartbeats ----------------------------------------------------------------------------------

    async def beat_on(self):
        await asyncio.sleep(random.uniform(0, self.interval))
        while True:
            self.beat()
            await asyncio.sleep(self.interval)

    def beat(self):
        self.beats += 1
        said = all(held.said or held.outcome is None for held in self.work.values())
        quiet = said and all(outbox.is_empty() for outbox in self.outbox.values())
        flags = self.active * pb.BEAT_FLAG_ACTIVE + self.draining * pb.BEAT_FLAG_DRAINING
        flags += quiet * pb.BEAT_FLAG_QUIET
        self.say(beat=pb.Beat(seq=self.beats, flags=flags, free=self.free()))

    def on_probe(self, _):
        self.beat()

    def on_beat_answer(self, answer):
        if not answer.flags & pb.BEAT_FLAG_KNOWN or answer.epoch != self.session.epoch:
            self.come_back = DIAL_APART  # At once: the coordinator is there, and the session is not.
            return "end"
        if answer.HasField("first_window_us"):
            self.first_window = min(answer.first_window_us / 1e6, 600.0)
        if answer.HasField("beat_interval_us"):
            self.interval = min(max(answer.beat_interval_us / 1e6, 1.0), 15.0)

    # -- Lanes ---------------------------------------------------------------------------------------

    def on_ack(self, ack):
        self.outbox[ack.lane].acknowledge(ack.standing)

    def on_lane_c(self, message):
        self.numbered(pb.LANE_C, self.inbox[pb.LANE_C].begin(message))

    def on_lane_b(self, message):
        self.active = True  # It may overtake Active, and means the same.
        self.numbered(pb.LANE_B, self.inbox[pb.LANE_B].begin(message))

    def on_part(self, part):
        self.numbered(pb.LANE_B, self.inbox[pb.LANE_B].more(part))

    def numbered(self, lane, whole):
        if whole is None:
            return
        message, body = whole
        head = message.WhichOneof("head")
        process = getattr(self, f"told_{head}", None)
        if process is None:
            raise Violation(f"{head} is no message of a coordinator")
        process(getattr(message, head), body)
        self.say(ack=pb.Ack(lane=lane, standing=self.inbox[lane].standing()))

    def tell(self, lane, body=b"", **head):
        self.outbox[lane].waiting.append(pb.LaneMessage(body_len=len(body), body=body, **head))

    def flush(self):
        """Says what may be said now. Nothing numbered before both sides are active."""
        if not self.active:
            return
        for held in self.work.values():
            if held.outcome is not None and not held.said:
                held.said = True
                self.tell(pb.LANE_B, held.body, result=pb.Result(key=held.key, outcome=held.outcome))
        for message in self.outbox[pb.LANE_C].due():
            self.say(lane_c=message)
        for message in self.outbox[pb.LANE_B].due():
            first = pb.LaneMessage()
            first.CopyFrom(message)
            first.body = message.body[:PIECE]
            self.say(lane_b=first)
            for offset in range(PIECE, message.body_len, PIECE):
                piece = message.body[offset : offset + PIECE]
                self.say(part=pb.Part(seq=message.seq, offset=offset, bytes=piece))
        if self.draining and not self.left and not self.work:
            if all(outbox.is_empty() for outbox in self.outbox.values()):
                self.left = True
                self.say(goodbye=pb.Goodbye(reason=pb.REASON_WORKER_STOPPING))
                self.out.put_nowait(None)  # Ends this direction behind the Goodbye.

    # -- Work ----------------------------------------------------------------------------------------

    def free(self):
        return SLOTS - sum(held.task is not None for held in self.work.values())

    def told_assign(self, assign, payload):
        key = ident(assign.key)
        held = self.work.get(key)
        if held is not None and held.outcome is not None:
            return  # The result is the answer, and it is said as long as it is not settled.
        if held is None:
            refusal = self.refusal(assign)
            if refusal is not None:
                self.tell(pb.LANE_C, refuse=pb.Refuse(key=assign.key, refusal=refusal))
                return
            held = self.work[key] = Held(assign.key)
            timeout = assign.timeout_us / 1e6 if assign.HasField("timeout_us") else None
            run = asyncio.wait_for(HANDLERS[assign.handler](payload), timeout)
            held.task = asyncio.ensure_future(run)
            held.task.add_done_callback(lambda run: self.ended(held, run))
        self.tell(pb.LANE_C, accept=pb.Accept(key=assign.key))

    def refusal(self, assign):
        if ident(assign.key) in self.revoked:
            return pb.REFUSAL_REVOKED
        if self.draining:
            return pb.REFUSAL_DRAINING
        if assign.handler not in HANDLERS:
            return pb.REFUSAL_UNKNOWN_HANDLER
        return None if self.free() > 0 else pb.REFUSAL_NO_SLOT

    def ended(self, held, run):
        """However the handler ended; also one that was cancelled before its first step."""
        held.task = None
        if run.cancelled():
            held.outcome = pb.OUTCOME_CANCELLED
        elif run.exception() is None:
            held.outcome, held.body = pb.OUTCOME_SUCCEEDED, run.result()
        elif isinstance(run.exception(), asyncio.TimeoutError):
            held.outcome = pb.OUTCOME_TIMED_OUT
        else:
            held.outcome, held.body = pb.OUTCOME_FAILED_RETRYABLE, str(run.exception()).encode()
        if not held.forgotten:
            self.flush()

    def forget(self, held):
        held.forgotten = True
        if held.task is not None:
            held.task.cancel()
        self.work.pop(ident(held.key), None)

    def told_settled(self, settled, _):
        held = self.work.get(ident(settled.key))
        if held is not None:
            self.forget(held)

    def told_cancel(self, cancel, _):
        held = self.work.get(ident(cancel.key))
        if held is not None and held.task is not None:
            held.task.cancel()

    def told_revoke(self, revoke, _):
        if ident(revoke.key) in self.work:
            self.tell(pb.LANE_C, held=pb.Held(key=revoke.key))
        else:
            self.revoked.add(ident(revoke.key))
            self.tell(pb.LANE_C, not_held=pb.NotHeld(key=revoke.key))

    def drain(self):
        """SIGTERM: nothing new is taken, what runs ends, what ended is settled, and then the Goodbye."""
        self.draining = True
        if self.out is not None and self.welcomed:
            self.beat()
            self.flush()


if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else os.environ["MOORLINE_CONFORMANCE_URL"]
    directory = os.environ.get("MOORLINE_CONFORMANCE_DIR", "python-worker")
    sys.exit(asyncio.run(Worker(url, directory).run()))
