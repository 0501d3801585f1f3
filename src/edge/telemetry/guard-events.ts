/** What the admission webhook has answered, and how its certificate and its registration are: metric and log line together. */

import { Counter, Gauge, type Registry } from "prom-client";
import { PortcullisError } from "../../core/error.ts";
import { printable } from "../../core/identity/authn-error.ts";
import type { AdmissionAnswer, AskedChange } from "../../core/kube/guard/admission-review.ts";
import type { Logger } from "./logger.ts";

/** Read at each scrape. */
export interface GuardGauges {
  readonly certificateNotAfterMs: () => number | undefined;
  /** Whether the API server is told our roots; undefined while there is no webhook, and nobody asks us. */
  readonly isCaCurrent: () => boolean | undefined;
  readonly nowMs: () => number;
}

/** Who is said to have asked for which change: whoever reaches the port may say so. */
export interface AdmissionFields {
  readonly username: string;
  readonly isDryRun: boolean;
  readonly change: Pick<AskedChange, "operation" | "namespace" | "name">;
}

const nameCharsMax = 256;

export class GuardEvents {
  readonly #log: Logger;
  readonly #reviews: Counter<"result">;

  constructor(log: Logger, registry: Registry, gauges: GuardGauges) {
    this.#log = log;
    this.#reviews = new Counter({
      name: "portcullis_guard_reviews_total",
      help: "changes of PeerAuthentications that an API server has asked about, by what it was answered",
      labelNames: ["result"],
      registers: [registry],
    });
    for (const result of ["allowed", "warned", "denied", "failed"])
      this.#reviews.inc({ result }, 0);
    gauge(
      registry,
      "portcullis_guard_cert_expiry_seconds",
      "seconds until the admission webhook's certificate expires",
      () => {
        const endMs = gauges.certificateNotAfterMs();
        return endMs === undefined ? undefined : Math.floor((endMs - gauges.nowMs()) / 1_000);
      },
    );
    gauge(
      registry,
      "portcullis_guard_ca_bundle_current",
      "1 while the admission webhook is registered and its caBundle has the mesh's roots, else 0",
      () => Number(gauges.isCaCurrent() === true),
    );
  }

  /** Once for each; nobody's name is ever a label. */
  answered(asked: AdmissionFields, { isAllowed, warnings, message }: AdmissionAnswer): void {
    if (isAllowed && warnings.length === 0) return this.#reviews.inc({ result: "allowed" });
    const fields = fieldsOf(asked);
    if (isAllowed) {
      this.#reviews.inc({ result: "warned" });
      this.#log.warn(
        { event: "guard-warned", ...fields, warnings },
        "a change that may make callers fail was let in with a warning",
      );
    } else {
      this.#reviews.inc({ result: "denied" });
      this.#log.warn(
        { event: "guard-denied", ...fields, detail: message },
        "a change that may make callers fail was refused",
      );
    }
  }

  /** What nobody expected; it is answered all the same. */
  failed(asked: AdmissionFields, error: unknown): void {
    this.#reviews.inc({ result: "failed" });
    const fields = { event: "guard-failed", ...fieldsOf(asked), ...problemOf(error) };
    this.#log.error(fields, "a change could not be judged");
  }

  renewed(notAfterMs: number): void {
    const notAfter = new Date(notAfterMs).toISOString();
    this.#log.info({ event: "guard-certificate-renewed", notAfter }, "webhook certificate renewed");
  }

  rootsWritten(webhook: string, roots: number): void {
    const fields = { event: "guard-ca-bundle-written", webhook, roots };
    this.#log.info(fields, "the API server is told the webhook's roots");
  }

  /** Once, until it is registered again. */
  notRegistered(webhook: string): void {
    this.#log.warn(
      {
        event: "guard-not-registered",
        webhook,
        hint: "apply the ValidatingWebhookConfiguration again, or leave --guard out",
      },
      "no API server asks the guard: its webhook is not registered",
    );
  }

  /** It is tried again; what is in force stays. */
  notFresh(error: unknown): void {
    const fields = { event: "guard-not-fresh", ...problemOf(error) };
    this.#log.error(fields, "the webhook's certificate or roots could not be renewed");
  }
}

function fieldsOf({ username, isDryRun, change }: AdmissionFields): object {
  const { operation, namespace, name } = change;
  const object = printable(`${namespace}/${name}`, nameCharsMax);
  return { claimed: printable(username, nameCharsMax), isDryRun, operation, object };
}

function problemOf(error: unknown): object {
  if (!(error instanceof PortcullisError)) return { reason: "internal", detail: String(error) };
  const { code, message, hint } = error;
  return { reason: code, detail: message, ...(hint !== undefined && { hint }) };
}

/** Without a value there is no sample. */
function gauge(
  registry: Registry,
  name: string,
  help: string,
  read: () => number | undefined,
): void {
  const all: Gauge = new Gauge({
    name,
    help,
    registers: [registry],
    collect: () => {
      const value = read();
      if (value === undefined) all.remove();
      else all.set(value);
    },
  });
}
