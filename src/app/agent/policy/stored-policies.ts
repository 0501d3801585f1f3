/** The file of last good policies, read: what somebody else may have damaged. */

import { PrivateFileError, readPrivateFile } from "../../../edge/config/private-files.ts";
import type { AgentEvents } from "../../../edge/telemetry/agent-events.ts";
import { StateFileError } from "../workload-set.ts";
import { parseKept, type KeptPolicy } from "./kept-policy.ts";

const fileBytesMax = 64 * 1_048_576;

/** What cannot be read is reported, and the others are not lost with it. */
export async function readKept(path: string, events: AgentEvents): Promise<KeptPolicy[]> {
  const malformed = (cause: unknown): void => {
    const message = `${path} is no list of policies`;
    events.stateUnreadable(new StateFileError("state-file-malformed", message, { cause }));
  };
  try {
    const bytes = await readPrivateFile(path, fileBytesMax);
    return parseStored(JSON.parse(Buffer.from(bytes).toString()), malformed);
  } catch (cause) {
    if (!(cause instanceof PrivateFileError && cause.code === "file-missing")) malformed(cause);
    return [];
  }
}

/** @throws TypeError */
function parseStored(document: unknown, onMalformed: (cause: unknown) => void): KeptPolicy[] {
  const { version, proxies } = document as { version: unknown; proxies: readonly unknown[] };
  if (version !== 1) throw new TypeError(`expected version 1, got ${String(version)}`);
  return proxies.flatMap((each) => {
    try {
      return [parseKept(each)];
    } catch (cause) {
      onMalformed(cause);
      return [];
    }
  });
}
