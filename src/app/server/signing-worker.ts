/** A signing thread: it has the authority's key, and does what it is told until it is ended. */

import { parentPort, type MessagePort } from "node:worker_threads";
import { signingAuthority, type Authority } from "../../core/issuance/authority.ts";
import { signWorkloads, type WorkloadOutcome } from "../../core/issuance/workload.ts";
import { closeSigner, openSigner } from "./open-signer.ts";
import {
  encodeError,
  type AuthorityParts,
  type FromSigner,
  type ToSigner,
  type WireOutcome,
} from "./signing-protocol.ts";

if (parentPort !== null) serve(parentPort);

function serve(port: MessagePort): void {
  let authority: Promise<Authority> | undefined;
  const answer = (message: FromSigner): void => port.postMessage(message);
  const obey = async (message: ToSigner): Promise<void> => {
    if (message.kind === "authority") {
      const previous = authority;
      authority = openAuthority(message.parts);
      await authority;
      if (previous !== undefined) closeSigner((await previous).signer);
      return answer({ kind: "ready" });
    }
    const { id, orders, policy, nowMs } = message;
    if (authority === undefined) throw new TypeError("orders came before an authority");
    const outcomes = signWorkloads(orders, await authority, policy, nowMs).map(encodeOutcome);
    answer({ kind: "outcomes", id, outcomes });
  };
  port.on("message", (message: ToSigner) => {
    obey(message).catch((error: unknown) => answer({ kind: "failed", error: encodeError(error) }));
  });
}

async function openAuthority({ source, chain, root }: AuthorityParts): Promise<Authority> {
  const signer = await openSigner(source, chain[0] ?? root);
  return signingAuthority(signer, chain, root, [root]);
}

function encodeOutcome(outcome: WorkloadOutcome): WireOutcome {
  if (outcome.kind === "issued") return outcome;
  return { kind: "refused", error: encodeError(outcome.error) };
}
