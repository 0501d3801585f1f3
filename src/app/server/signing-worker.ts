/** A signing thread: it has the authority's key, and does what it is told until it is ended. */

import { parentPort, type MessagePort } from "node:worker_threads";
import { signingAuthority, type Authority } from "../../core/issuance/authority.ts";
import { signWorkloads } from "../../core/issuance/workload.ts";
import { Pkcs11Error } from "../../edge/pkcs11/pkcs11-error.ts";
import { closeSigner, openSigner } from "./open-signer.ts";
import { issueServingCertificate } from "./serving-certificate.ts";
import {
  encodeError,
  encodeOutcome,
  type FromSigner,
  type SignerAnswer,
  type SignerRequest,
  type ToSigner,
} from "./signing-protocol.ts";

if (parentPort !== null) serve(parentPort);

/** What was done, and why the key is of no use any more, if that was found on the way. */
interface Done {
  readonly answer: SignerAnswer;
  readonly failure?: unknown;
}

function serve(port: MessagePort): void {
  let authority: Promise<Authority> | undefined;
  const tell = (message: FromSigner): void => port.postMessage(message);
  const obey = async (request: SignerRequest): Promise<Done> => {
    if (request.kind === "authority") {
      const previous = authority;
      authority = openAuthority(request);
      await authority;
      if (previous !== undefined) closeSigner((await previous).signer);
      return { answer: { kind: "ready" } };
    }
    if (authority === undefined) throw new TypeError("orders came before an authority");
    return fulfil(request, await authority);
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
}: Extract<SignerRequest, { kind: "authority" }>): Promise<Authority> {
  const signer = await (anew ? openSigner(parts, "anew") : openSigner(parts));
  return signingAuthority(signer, parts.chain, parts.root, [parts.root]);
}

function fulfil(
  request: Exclude<SignerRequest, { kind: "authority" }>,
  authority: Authority,
): Done {
  if (request.kind === "serving") {
    try {
      const { roots, names, nowMs, uri } = request.order;
      const trust = { authority, bundle: { roots } };
      const certificate = issueServingCertificate(trust, names, nowMs, uri);
      return { answer: { kind: "serving", certificate } };
    } catch (error) {
      return { answer: { kind: "refused", error: encodeError(error) }, failure: keyLoss(error) };
    }
  }
  const { orders, policy, nowMs } = request;
  const outcomes = signWorkloads(orders, authority, policy, nowMs);
  const failure = outcomes
    .map((outcome) => (outcome.kind === "refused" ? keyLoss(outcome.error) : undefined))
    .find((each) => each !== undefined);
  return { answer: { kind: "outcomes", outcomes: outcomes.map(encodeOutcome) }, failure };
}

/** The signer has tried a new session already: what is left is another thread. */
function keyLoss(error: unknown): Pkcs11Error | undefined {
  if (!(error instanceof Pkcs11Error)) return undefined;
  return error.cause instanceof Pkcs11Error ? error.cause : error;
}
