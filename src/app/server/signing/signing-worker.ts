/** A signing thread: it has the authority's key, and does what it is told until it is ended. */

import { parentPort, type MessagePort } from "node:worker_threads";
import { signingAuthority, type Authority } from "../../../core/issuance/authority.ts";
import { signPrepared } from "../../../core/issuance/sign-prepared.ts";
import { prepareWorkloads } from "../../../core/issuance/workload.ts";
import { Pkcs11Error } from "../../../edge/pkcs11/pkcs11-error.ts";
import { closeSigner, openSigner } from "./open-signer.ts";
import {
  encodeError,
  encodePrepared,
  encodeSigned,
  type FromSigner,
  type SignerAnswer,
  type SignerRequest,
  type ToSigner,
} from "./signing-protocol.ts";

if (parentPort !== null) serve(parentPort);

interface Opened {
  readonly authority: Authority;
  /** Which may have signed although it did not say so. */
  readonly isDevice: boolean;
}

/** What was done, and why the key is of no use any more, if that was found on the way. */
interface Done {
  readonly answer: SignerAnswer;
  readonly failure?: unknown;
}

function serve(port: MessagePort): void {
  let opened: Promise<Opened> | undefined;
  const tell = (message: FromSigner): void => port.postMessage(message);
  const obey = async (request: SignerRequest): Promise<Done> => {
    if (request.kind === "authority") {
      const previous = opened;
      opened = openAuthority(request);
      await opened;
      if (previous !== undefined) closeSigner((await previous).authority.signer);
      return { answer: { kind: "ready" } };
    }
    if (opened === undefined) throw new TypeError("orders came before an authority");
    return fulfil(request, await opened);
  };
  const handle = async ({ id, request }: ToSigner): Promise<void> => {
    try {
      const { answer, failure } = await obey(request);
      tell({ kind: "answer", id, answer });
      if (failure !== undefined) tell({ kind: "failed", error: encodeError(failure) });
    } catch (error) {
      tell({ kind: "failed", error: encodeError(error) });
    }
  };
  port.on("message", (message: ToSigner) => void handle(message));
}

async function openAuthority({
  parts,
  anew,
}: Extract<SignerRequest, { kind: "authority" }>): Promise<Opened> {
  const signer = await (anew ? openSigner(parts, "anew") : openSigner(parts));
  const authority = signingAuthority(signer, parts.chain, parts.root, [parts.root]);
  return { authority, isDevice: parts.source.kind === "pkcs11" };
}

function fulfil(
  request: Exclude<SignerRequest, { kind: "authority" }>,
  { authority, isDevice }: Opened,
): Done {
  if (request.kind === "prepare") {
    const { orders, policy, nowMs } = request;
    const outcomes = prepareWorkloads(orders, authority, policy, nowMs);
    return { answer: { kind: "prepared", outcomes: outcomes.map(encodePrepared) } };
  }
  const outcomes = signPrepared(request.prepared, authority, isDevice ? "unknown" : "failed");
  const failure = outcomes
    .map((outcome) => (outcome.kind === "refused" ? keyLoss(outcome.error) : undefined))
    .find((each) => each !== undefined);
  return { answer: { kind: "signed", outcomes: outcomes.map(encodeSigned) }, failure };
}

/** The signer has tried a new session already: what is left is another thread. */
function keyLoss(error: unknown): Pkcs11Error | undefined {
  if (!(error instanceof Error)) return undefined;
  return keyLoss(error.cause) ?? (error instanceof Pkcs11Error ? error : undefined);
}
