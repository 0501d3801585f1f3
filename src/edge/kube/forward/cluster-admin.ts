/**
 * The admin API of a server in a cluster, by a kubeconfig: a forwarded port of its pod, a short token of the operators' service account,
 * and the roots that the server has written into its own namespace, or that the operator has. What was found out is kept for the next call.
 */

import { serverHost } from "../../../core/kube/own-names.ts";
import type { AdminPassage, AdminWay } from "../../rpc/admin-target.ts";
import { relayTls } from "../../rpc/tls-relay.ts";
import { readBoundedFile } from "../../config/private-files.ts";
import type { KubeAccess } from "../kube-access.ts";
import { KubeConnection } from "../kube-connection.ts";
import { asKubeError, KubeError } from "../kube-error.ts";
import { forwardPort } from "./port-forward.ts";
import { findServerPod, nameItsRoots, readServerRoots, type ServerPlace } from "./server-place.ts";
import { requestToken } from "./token-request.ts";
import { isTokenFor } from "./token-audience.ts";
import { handshakeHint, orUnreachable } from "./way-hints.ts";

export interface ClusterAdminOptions {
  /** For people: `namespace portcullis-system by context kind`. */
  readonly name: string;
  /** Loaded with the first call. */
  readonly access: () => Promise<KubeAccess>;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly audience: string;
  /** In the place of the service account's. */
  readonly tokenFile: string | undefined;
  /** By which the server is verified. */
  readonly roots: RootsPlace;
  /** Ends all that is under way. */
  readonly signal: AbortSignal;
  readonly nowMs: () => number;
}

/** In the server's namespace, or on the operator's machine. */
export type RootsPlace = { readonly configMap: string } | { readonly file: string };

type Asker = Pick<KubeConnection, "send">;

interface Place extends ServerPlace {
  readonly access: KubeAccess;
  readonly roots: string;
  readonly token: string;
  /** Until then it is good enough for another call. */
  readonly untilMs: number;
}

const tokenSeconds = 600;
/** A token is good for a call that begins now. */
const keptMs = 300_000;
const tokenBytesMax = 16_384;
const rootsBytesMax = 262_144;
const handshakeMs = 10_000;

export class ClusterAdmin implements AdminWay {
  readonly name: string;
  readonly #options: ClusterAdminOptions;
  #place: Place | undefined;

  constructor(options: ClusterAdminOptions) {
    this.name = options.name;
    this.#options = options;
  }

  async open(): Promise<AdminPassage> {
    const { nowMs } = this.#options;
    const known = this.#place;
    if (known !== undefined && nowMs() < known.untilMs) {
      try {
        return await this.#through(known);
      } catch (error) {
        // Its pod may be another by now, and its roots.
        if (!(error instanceof KubeError)) throw error;
      }
    }
    this.#place = undefined;
    const place = await this.#find();
    const passage = await this.#through(place);
    this.#place = place;
    return passage;
  }

  async #find(): Promise<Place> {
    const { namespace, signal, nowMs } = this.#options;
    const access = await this.#options.access();
    using whole = new KubeConnection({ access });
    const connection: Asker = {
      send: (request) => orUnreachable(whole.send({ ...request, signal })),
    };
    // One after the other: what is said to be missing is the first that is.
    const found = await findServerPod(connection, namespace);
    const roots = await this.#roots(connection);
    const token = await this.#token(access, connection);
    return { access, ...found, roots, token, untilMs: nowMs() + keptMs };
  }

  async #roots(connection: Asker): Promise<string> {
    const { roots, namespace } = this.#options;
    if ("configMap" in roots) return await readServerRoots(connection, namespace, roots.configMap);
    const text = await readText(roots.file, "--server-root", rootsBytesMax);
    if (text.includes("BEGIN CERTIFICATE")) return text;
    throw new KubeError("kube-config", `--server-root: expected certificates in ${roots.file}`);
  }

  async #token(access: KubeAccess, connection: Asker): Promise<string> {
    const { tokenFile, audience, namespace, serviceAccount } = this.#options;
    if (tokenFile !== undefined) return await readToken(tokenFile, serviceAccount, audience);
    const { headers } = await access.credentials();
    const own = /^Bearer (.+)$/.exec(headers["authorization"] ?? "")?.[1];
    if (own !== undefined && isTokenFor(own, audience)) return own;
    const order = { namespace, serviceAccount, audience, seconds: tokenSeconds };
    return await requestToken(connection, order);
  }

  async #through({ access, pod, port, roots, token }: Place): Promise<AdminPassage> {
    const { namespace, signal, roots: place } = this.#options;
    const opening = forwardPort(access, { namespace, pod, port }, signal);
    const forwarded = await orUnreachable(opening);
    const onAbort = (): void => void forwarded.destroy(asError(signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
    forwarded.once("close", () => signal.removeEventListener("abort", onAbort));
    const name = serverHost(namespace);
    const where = "file" in place ? `in ${place.file}` : `in ConfigMap ${place.configMap}`;
    const what = `pod ${namespace}/${pod}, which is to be ${name} by the roots ${where}`;
    try {
      const relay = await relayTls(forwarded, { roots, serverName: name, handshakeMs });
      return Object.assign(relay, { token });
    } catch (error) {
      signal.throwIfAborted();
      const { code, message } = asKubeError(error, what);
      const named = "file" in place ? "--server-root FILE" : nameItsRoots;
      const others = `its roots are others: ${named}`;
      const hint = isUnknownRoot(error) ? others : handshakeHint(error, { namespace, pod });
      throw new KubeError(code, message, { cause: error, ...(hint !== undefined && { hint }) });
    }
  }
}

/** As OpenSSL names it (X509_V_ERR). */
function isUnknownRoot(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return /SELF_SIGNED|UNABLE_TO_|CERT_SIGNATURE/.test(code);
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

/** What is no token is not sent: of it the server says only that it could not be read. */
async function readToken(path: string, account: string, audience: string): Promise<string> {
  const text = await readText(path, "--token-file", tokenBytesMax);
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) return text;
  const got = text === "" ? "an empty file" : "something else";
  const message = `--token-file: expected a token of three parts in ${path}, got ${got}`;
  const hint = `write one: kubectl create token ${account} --audience ${audience}`;
  throw new KubeError("kube-config", message, { hint });
}

async function readText(path: string, flag: string, bytesMax: number): Promise<string> {
  try {
    return Buffer.from(await readBoundedFile(path, bytesMax))
      .toString("utf8")
      .trim();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new KubeError("kube-config", `${flag}: ${why}`, { cause });
  }
}
