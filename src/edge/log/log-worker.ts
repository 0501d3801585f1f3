/** The one thread that writes the log: opens it, does what it is told in order, and closes it when it is told so. */

import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import { LogError } from "../../core/log/log-error.ts";
import type { LogAppender } from "./log-appender.ts";
import { openLog } from "./log-opening.ts";
import { LogPruner } from "./log-pruner.ts";
import {
  encodeError,
  type FromLogThread,
  type Group,
  type LogThreadData,
  type Outcome,
  type ToLogThread,
} from "./log-protocol.ts";

if (parentPort !== null) serve(parentPort, workerData);

function serve(port: MessagePort, opening: LogThreadData): void {
  const answer = (message: FromLogThread): void => port.postMessage(message);
  try {
    const { database, appender } = openLog(opening);
    const pruner = new LogPruner(database, appender);
    port.on("message", (message: ToLogThread) => {
      if (message.kind !== "close") return answer(obey(message, appender, pruner));
      database.close();
      answer({ kind: "closed" });
      port.close();
    });
    const { lastTimeMs, openIntents } = appender.state();
    answer({ kind: "opened", lastTimeMs, openIntents });
  } catch (error) {
    answer({ kind: "failed", error: encodeError(error) });
  }
}

function obey(
  message: Exclude<ToLogThread, { kind: "close" }>,
  appender: LogAppender,
  pruner: LogPruner,
): FromLogThread {
  try {
    if (message.kind === "append") {
      return { kind: "appended", outcomes: appendAll(message.group, appender) };
    }
    const { beforeMs, timeMs, operator } = message;
    return { kind: "pruned", pruned: pruner.prune(beforeMs, timeMs, operator) };
  } catch (error) {
    return { kind: "failed", error: encodeError(error) };
  }
}

/** Together, unless one of them is wrong: then each alone, so that it fails alone. @throws LogError `log-unwritable` */
function appendAll(group: Group, appender: LogAppender): readonly Outcome[] {
  const requests = splitGroup(group);
  try {
    let next = appender.append(requests.flat()).firstIndex;
    return requests.map(({ length }) => {
      const firstIndex = next;
      next += length;
      return { firstIndex };
    });
  } catch (error) {
    if (error instanceof LogError) throw error;
  }
  return requests.map((batch) => {
    try {
      return { firstIndex: appender.append(batch).firstIndex };
    } catch (error) {
      return { error: encodeError(error) };
    }
  });
}

function splitGroup({ requests, lengths, bytes }: Group): readonly (readonly Uint8Array[])[] {
  let offset = 0;
  let index = 0;
  return requests.map((count) =>
    lengths.slice(index, (index += count)).map((length) => {
      return bytes.subarray(offset, (offset += length));
    }),
  );
}
