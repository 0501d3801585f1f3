/** The log that a verb reads: the one in a server's data directory, also while it runs, or in a copy of it. */

import { LogError } from "../../core/log/log-error.ts";
import { parseVerifierKey, type NoteVerifier } from "../../core/log/note-key.ts";
import { LogReader } from "../../edge/log/log-reader.ts";
import type { Context } from "./command.ts";
import { UsageError } from "./usage-error.ts";

/**
 * Whoever reads has named a directory: one without a log is more often the wrong one than a loss.
 * @throws LogError `log-lost`, `log-newer`, `log-unreadable`
 */
export function openLogReader(directory: string): LogReader {
  try {
    return LogReader.open(directory);
  } catch (error) {
    if (!(error instanceof LogError) || error.code !== "log-lost") throw error;
    const message = error.message.replace(/^.* and (.*) is missing$/, "$1: there is no log");
    const hint =
      "is it the server's --data-dir? Of a server in a cluster it is in the pod: " +
      "kubectl exec -n portcullis-system portcullis-0 -- portcullis ...";
    throw new LogError("log-lost", message, { cause: error, hint });
  }
}

/**
 * The key that was given, else the log's own, which finds no log that was exchanged as a whole.
 * @throws UsageError; LogError `log-key-malformed` for the log's own
 */
export function logVerifier(
  key: string | undefined,
  reader: LogReader,
  { stderr }: Pick<Context, "stderr">,
): NoteVerifier {
  if (key !== undefined) return parseLogKey(key);
  const verifier = parseVerifierKey(reader.verifierKey());
  stderr.write(
    "note: verified with the key that the log itself names; --log-key is the stronger\n",
  );
  return verifier;
}

/** What `--log-key` says. @throws UsageError */
export function parseLogKey(text: string): NoteVerifier {
  try {
    return parseVerifierKey(text.trim());
  } catch (cause) {
    if (!(cause instanceof LogError)) throw cause;
    throw new UsageError("usage-invalid-value", `--log-key: ${cause.message}`, {
      cause,
      hint: "portcullis audit key",
    });
  }
}
