/** A server that is not there, as whoever asks for a flip reads it: what was begun is not lost. */

import { EndpointsError } from "../../edge/config/endpoints.ts";
import { AdminClientError } from "../../edge/rpc/admin-error.ts";
import type { ConnectionValues } from "./admin-address.ts";
import { commandOf, textTarget } from "./server-target.ts";

/** @throws as `answer`, with what comes of flips, and how to look again */
export async function goesOnLater<T>(
  target: string,
  flags: ConnectionValues,
  answer: Promise<T>,
): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    const again = commandOf(textTarget(flags), "mtls flip", [target]);
    const later = `a flip that is under way goes on when the server is back; then: ${again}`;
    if (!(cause instanceof AdminClientError) && !(cause instanceof EndpointsError)) throw cause;
    const hint = [cause.hint ?? [], later].flat().join("\n");
    if (cause instanceof AdminClientError) {
      throw new AdminClientError(cause.code, cause.message, { cause, hint });
    }
    throw new EndpointsError(cause.code, cause.message, { cause, hint });
  }
}
