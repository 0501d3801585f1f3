/**
 * The SPIFFE bundle endpoint (SPIFFE Federation 5): the current trust bundle for other trust domains. It follows the
 * trust of the server at once, and keeps its certificate fresh: files are read again when they change, an SVID is renewed
 * at half of its life. What cannot be renewed stays in use, and the log says why.
 */

import { hash } from "node:crypto";
import { unwatchFile, watchFile } from "node:fs";
import { encodeBundleDocument } from "../../core/spiffe/bundle-document.ts";
import type { TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import { formatListenAddress, type ListenAddress } from "../../edge/config/listen-address.ts";
import { BundleHttp, type BundleResponse } from "../../edge/rpc/bundle-http.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";
import {
  loadCertificate,
  type CertificateOptions,
  type LoadedCertificate,
} from "./bundle-certificate-source.ts";
import { failureFields } from "./failure-fields.ts";

export interface BundleEndpointOptions extends CertificateOptions {
  readonly listen: ListenAddress;
  readonly refreshHintSeconds: () => number;
  readonly log: Logger;
}

const checkIntervalMs = 60_000;
/** Stat is asked, not a watch kept: a mounted Secret is replaced by its symbolic link. */
const pollIntervalMs = 1_000;

export class BundleEndpoint implements AsyncDisposable {
  readonly #options: BundleEndpointOptions;
  readonly #http: BundleHttp;
  readonly #owned = new AsyncDisposableStack();
  #loaded: LoadedCertificate;
  #response: BundleResponse | undefined;
  #responseOf: TrustBundle | undefined;
  #renewing: Promise<void> = Promise.resolve();
  #url = "";
  #isClosed = false;

  private constructor(options: BundleEndpointOptions, loaded: LoadedCertificate) {
    this.#options = options;
    this.#loaded = loaded;
    this.#http = this.#owned.use(new BundleHttp(loaded.certificate, () => this.#current()));
  }

  /** @throws ListenError, and what is wrong with the files */
  static async open(options: BundleEndpointOptions): Promise<BundleEndpoint> {
    const endpoint = new BundleEndpoint(options, await loadCertificate(options, undefined));
    endpoint.#warnIfExpired();
    const { host } = options.listen;
    const { port } = await endpoint.#http.listen(host, options.listen.port);
    endpoint.#url = `https://${formatListenAddress({ host, port })}/`;
    endpoint.#keepFresh();
    return endpoint;
  }

  get url(): string {
    return this.#url;
  }

  get notAfterMs(): number {
    return this.#loaded.certificate.notAfterMs;
  }

  /** SHA-256 of the root of ours that its certificate hangs on, in hex; undefined for one of the web's PKI. */
  get root(): string | undefined {
    return this.#loaded.certificate.root;
  }

  /** Takes what the files, the names and the trust say now, if it is new. Never rejects: what is there stays. */
  renew(): Promise<void> {
    this.#renewing = this.#renewing.then(() => this.#renewOnce());
    return this.#renewing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A renewal on its way is not waited for: it may wait for an HSM.
    this.#isClosed = true;
    await this.#owned.disposeAsync();
  }

  /** One encoding for each bundle; no listener has to be told, so it is never old. */
  #current(): BundleResponse {
    const { bundle } = this.#options.trust.current;
    const maxAgeSeconds = this.#options.refreshHintSeconds();
    if (this.#response?.maxAgeSeconds === maxAgeSeconds && this.#responseOf === bundle) {
      return this.#response;
    }
    const text = encodeBundleDocument(bundle, maxAgeSeconds);
    const etag = `"${bundle.sequence}-${hash("sha256", text, "base64url").slice(0, 22)}"`;
    this.#responseOf = bundle;
    return (this.#response = { text, etag, maxAgeSeconds });
  }

  #keepFresh(): void {
    const { files, trust } = this.#options;
    const renew = (): void => void this.renew();
    if (files === undefined) {
      // Looked at on the wall clock, since a suspended machine's timers sleep with it.
      // One that failed is made up for: an old authority is not to be kept by it.
      const timer = setInterval(renew, checkIntervalMs).unref();
      this.#owned.defer(() => clearInterval(timer));
      // Whoever fetched the new bundle must be able to verify with nothing but that.
      this.#owned.use(trust.onChange(renew));
    } else {
      for (const file of [files.certificate, files.key]) {
        watchFile(file, { interval: pollIntervalMs, persistent: false }, renew);
        this.#owned.defer(() => unwatchFile(file, renew));
      }
    }
  }

  async #renewOnce(): Promise<void> {
    const { log } = this.#options;
    try {
      const before = this.#loaded;
      const loaded = await loadCertificate(this.#options, before);
      if (this.#isClosed) return;
      this.#loaded = loaded;
      const { certificate } = loaded;
      if (certificate === before.certificate) return this.#warnIfExpired();
      this.#http.renew(certificate);
      const notAfter = new Date(certificate.notAfterMs).toISOString();
      log.info({ event: "bundle-certificate-renewed", notAfter }, "bundle certificate renewed");
      this.#warnIfExpired();
    } catch (error) {
      if (this.#isClosed) return;
      const fields = { event: "bundle-certificate-failed", ...failureFields(error) };
      log.error(fields, "bundle certificate not renewed");
    }
  }

  /** Not refused: a start that fails for it would take the mesh's CA with it. */
  #warnIfExpired(): void {
    const { log, nowMs, files } = this.#options;
    const { notAfterMs } = this.#loaded.certificate;
    if (nowMs() < notAfterMs) return;
    const fields = { event: "bundle-certificate-expired", file: files?.certificate };
    log.warn(
      { ...fields, notAfter: new Date(notAfterMs).toISOString() },
      "bundle certificate expired",
    );
  }
}
