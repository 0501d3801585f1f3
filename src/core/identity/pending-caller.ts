/**
 * Nobody can say at once who calls: somebody else is asked. It is thrown in the place of a refusal, so that whoever need not wait does
 * not; who waits has to bound how many do, and for how long. Nobody is asked before somebody waits.
 */

import { PortcullisError } from "../error.ts";
import type { Caller } from "./caller.ts";

export class PendingCaller extends PortcullisError<"caller-pending"> {
  override name = "PendingCaller";
  /** Begins to ask; once. It ends by itself, within seconds. Rejects as the door would have refused. */
  readonly ask: () => Promise<Caller>;

  constructor(ask: () => Promise<Caller>) {
    super("caller-pending", "somebody has to be asked who calls");
    this.ask = ask;
  }
}
