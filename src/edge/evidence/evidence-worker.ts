/**
 * The one thread of `evidence.db`. It is a thread because a checkpoint waits for the disk and a question may go through a hundred
 * thousand rows: the event loop that signs certificates does neither.
 */

import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import { EvidenceFile } from "./evidence-file.ts";
import {
  encodeError,
  type EvidenceThreadData,
  type FromEvidenceThread,
  type ToEvidenceThread,
} from "./evidence-protocol.ts";

if (parentPort !== null) serve(parentPort, workerData);

function serve(port: MessagePort, opening: EvidenceThreadData): void {
  const answer = (message: FromEvidenceThread): void => port.postMessage(message);
  try {
    const file = new EvidenceFile(opening);
    port.on("message", (message: ToEvidenceThread) => {
      answer(message.kind === "close" ? file.close() : file.obey(message));
      if (file.isClosed) port.close();
    });
    answer({ kind: "opened", ...file.left });
  } catch (error) {
    answer({ kind: "failed", error: encodeError(error) });
  }
}
