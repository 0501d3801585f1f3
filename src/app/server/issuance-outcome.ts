/** What is counted, logged and remembered of a request for a certificate, whether it came alone or in a batch. */

import type { Caller } from "../../core/identity/caller.ts";
import type { IssuedCertificate } from "../../core/issuance/workload.ts";
import { refusalOf, type CaRefusal } from "../../edge/rpc/ca-status.ts";
import type { CallContext, ServerEvents } from "../../edge/telemetry/server-events.ts";
import type { IssuanceRequest } from "./issuance-queue.ts";

export interface OutcomeDependencies {
  readonly events: ServerEvents;
  /** By serial: the pod whose token a certificate was issued on. */
  readonly pods: { set(serialHex: string, pod: string): unknown };
  readonly nowMs: () => number;
}

/** Exactly one of the last two answers the caller. */
export interface Answers {
  /** Where it throws, the certificate is not given out. */
  readonly record: (caller: Caller, issued: IssuedCertificate) => void;
  readonly grant: (certChain: readonly string[], caller: Caller) => void;
  readonly refuse: (refusal: CaRefusal) => void;
}

export function outcomeOf(
  context: CallContext,
  { events, pods, nowMs }: OutcomeDependencies,
  { record, grant, refuse }: Answers,
): Pick<IssuanceRequest, "onIssued" | "onRefused"> {
  const onRefused: IssuanceRequest["onRefused"] = (error, caller) => {
    const refusal = refusalOf(error);
    events.requestRefused(context, caller, refusal, error);
    refuse(refusal);
  };
  return {
    onIssued: (issued, certChain, caller) => {
      try {
        record(caller, issued);
      } catch (error) {
        return onRefused(error, caller);
      }
      const { pod } = caller.evidence;
      if (pod !== undefined) pods.set(issued.serialHex, pod.name);
      events.certificateIssued(context, caller, issued, nowMs());
      grant(certChain, caller);
    },
    onRefused,
  };
}
