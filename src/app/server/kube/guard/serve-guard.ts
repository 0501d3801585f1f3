/** The admission webhook's port: its certificate, what the API server is told of it, and the answers. */

import { guardConfiguration, ownName, serverHost } from "../../../../core/kube/own-names.ts";
import type { GuardMode } from "../../../../core/kube/guard/admission-decision.ts";
import { formatListenAddress, type ListenAddress } from "../../../../edge/config/listen-address.ts";
import type { KubeConnection } from "../../../../edge/kube/kube-connection.ts";
import { keepCaBundle } from "../../../../edge/kube/webhook-configuration.ts";
import { WebhookHttp } from "../../../../edge/rpc/webhook-http.ts";
import { GuardEvents } from "../../../../edge/telemetry/guard-events.ts";
import type { Logger } from "../../../../edge/telemetry/logger.ts";
import type { ServerMetrics } from "../../../../edge/telemetry/server-metrics.ts";
import { servingNames } from "../../serving-names.ts";
import type { IssueServing } from "../../serving-certificate.ts";
import { TrustSecretError } from "../trust/trust-secret-error.ts";
import type { TrustSecret } from "../trust/trust-secret.ts";
import { GuardAdmission, type GuardAdmissionOptions } from "./guard-admission.ts";
import { GuardCertificate, type GuardTimings, type GuardTrust } from "./guard-certificate.ts";

/** Of `Parts`. */
export interface GuardParts {
  readonly log: Logger;
  readonly metrics: Pick<ServerMetrics, "registry">;
  readonly trust: GuardTrust;
  readonly issueServing: IssueServing;
  /** Undefined: the trust state is in the data directory alone. */
  readonly trustSecret?: Pick<TrustSecret, "areRootsCurrent"> | undefined;
}

export interface ServeGuardOptions extends Pick<
  GuardAdmissionOptions,
  "mode" | "judge" | "configuration" | "notReady" | "recent" | "isWriting"
> {
  readonly connection: KubeConnection;
  /** The server's own. */
  readonly namespace: string;
  readonly listen: ListenAddress;
  readonly clusterDomain: string;
  readonly nowMs: () => number;
  readonly timings?: GuardTimings;
}

export interface OpenedGuard {
  /** `https://HOST:PORT/validate` */
  readonly url: string;
  /** SHA-256 of the root that its certificate hangs on, in hex. */
  readonly root: () => string;
  readonly report: () => GuardReport;
}

/** For operators. */
export interface GuardReport {
  readonly mode: GuardMode;
  /** Whether the API server is told our roots; undefined where there is no configuration of ours. */
  readonly isCaCurrent: boolean | undefined;
  readonly certificateNotAfterMs: number;
}

const path = "/validate";

/** @throws ListenError; what keeps its certificate from being signed */
export async function serveGuard(
  { log, metrics, trust, issueServing: issue, trustSecret }: GuardParts,
  options: ServeGuardOptions,
  owned: AsyncDisposableStack,
): Promise<OpenedGuard> {
  const { mode, judge, configuration, notReady, connection, namespace } = options;
  const { listen, clusterDomain, nowMs, timings } = options;
  const host = serverHost(namespace);
  const servingDnsNames = [host, `${host}.${clusterDomain}`];
  const certificate = owned.use(
    await GuardCertificate.open({
      webhook: guardConfiguration,
      keepRoots: async (pem) => {
        if (trustSecret?.areRootsCurrent === false) throw mayBeOld();
        return await keepCaBundle(connection, guardConfiguration, pem);
      },
      names: () => servingNames({ listen, servingDnsNames }),
      trust,
      issue,
      events: () => events,
      nowMs,
      timings,
    }),
  );
  const events: GuardEvents = new GuardEvents(log, metrics.registry, {
    certificateNotAfterMs: () => certificate.current.notAfterMs,
    isCaCurrent: () => certificate.isCaCurrent,
    nowMs,
  });
  const admission = new GuardAdmission({
    mode,
    ownUser: `system:serviceaccount:${namespace}:${ownName}`,
    judge,
    configuration,
    notReady,
    recent: options.recent,
    isWriting: options.isWriting,
    events,
  });
  const http = owned.use(
    new WebhookHttp(certificate.current, {
      path,
      answer: (body, of) => admission.answer(body, of),
      nowMs: () => performance.now(),
    }),
  );
  const { port } = await http.listen(listen.host, listen.port);
  certificate.follow((renewed) => http.renew(renewed));
  const url = `https://${formatListenAddress({ host: listen.host, port })}${path}`;
  log.info({ event: "guard-open", mode, url }, "changes of PeerAuthentications are looked at");
  return {
    url,
    root: () => certificate.current.root,
    report: () => ({
      mode,
      isCaCurrent: certificate.isCaCurrent,
      certificateNotAfterMs: certificate.current.notAfterMs,
    }),
  };
}

function mayBeOld(): TrustSecretError {
  const message = "the roots of this server may be old: the webhook's are left as they are";
  return new TrustSecretError("trust-secret-silent", message, {
    hint: "portcullis status says what the Secret of the trust waits for",
  });
}
