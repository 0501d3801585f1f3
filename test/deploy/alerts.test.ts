/** Alert rules against a running server: each metric and each label that they name is one that it gives. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pino } from "pino";
import { Registry } from "prom-client";
import { parse } from "yaml";
import { addBundleMapGauges } from "../../src/edge/telemetry/bundle-map-events.ts";
import { GuardEvents } from "../../src/edge/telemetry/guard-events.ts";
import { KubeEvents } from "../../src/edge/telemetry/kube-events.ts";
import { addTrustSecretGauges } from "../../src/edge/telemetry/trust-secret-gauges.ts";
import { startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { chartDirectory } from "./chart.ts";

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

const text = readFileSync(join(chartDirectory, "files/alerts.yaml"), "utf8");
const alerts = (parse(text) as { rules: Alert[] }[]).flatMap(({ rules }) => rules);

/** Of PromQL: what these rules use of it. */
const words: ReadonlySet<string> = new Set([
  "absent",
  "by",
  "histogram_quantile",
  "increase",
  "le",
  "max",
  "or",
  "rate",
  "resource",
  "sum",
]);

/** Names of metrics, with what stands in braces after them. */
function metricsOf(expr: string): readonly (readonly [name: string, labels: string])[] {
  // Ranges ([5m]) and texts are no names.
  const bare = expr.replaceAll(/\[[^\]]*\]/g, "");
  const found = bare.matchAll(/([a-z_][a-z0-9_]*)(?:\{([^}]*)\})?/g);
  return [...found]
    .map(([, name = "", labels = ""]) => [name, labels] as const)
    .filter(([name]) => !words.has(name));
}

/** What a server gives beside it where it is in a cluster. */
async function inACluster(): Promise<string> {
  const registry = new Registry();
  const log = pino({ level: "silent" });
  new KubeEvents(log).register(registry, () => ({ mode: "watched", watches: [] }));
  addBundleMapGauges(registry, () => ({ total: 1, current: 1, contested: 0 }));
  const certificateNotAfterMs = (): undefined => undefined;
  void new GuardEvents(log, registry, {
    certificateNotAfterMs,
    isCaCurrent: () => true,
    nowMs: Date.now,
  });
  const trust = { behindSinceMs: undefined, problem: undefined, lease: { isHeld: true } };
  addTrustSecretGauges(registry, () => trust, Date.now);
  return await registry.metrics();
}

describe("an alert rule", () => {
  let server: TestControlPlane;
  let exposition: string;

  before(async () => {
    server = await startControlPlane();
    const served = await fetch(`${server.controlPlane.endpoints.metrics}/metrics`);
    exposition = `${await served.text()}\n${await inACluster()}`;
  });
  after(async () => server[Symbol.asyncDispose]());

  for (const { alert, expr } of alerts) {
    it(`asks for what the server gives: ${alert}`, () => {
      const types = new Map(
        [...exposition.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type = ""]) => [
          name,
          type,
        ]),
      );
      const metrics = metricsOf(expr).filter(([name]) => name !== "up");
      const samples = [...exposition.matchAll(/^([a-z_]+)\{(.*)\} /gm)];
      assert.ok(metrics.length > 0 || expr.includes("up{"));
      for (const [name, labels] of metrics) {
        const isSaid = samples.some(([, found, said = ""]) => found === name && said === labels);
        // With one label alone, as it stands; what differs from it is said beside it.
        assert.ok(labels === "" || labels.includes("!=") || isSaid, `${name}{${labels}}`);
        const family = name.replace(/_bucket$/, "");
        const type = types.get(family);
        assert.ok(type !== undefined, `${name}: no such metric`);
        assert.equal(type === "histogram", family !== name, name);
        // A counter has no level, and a gauge no rate.
        const isRated = new RegExp(`(?:rate|increase)\\(${name}[{[]`).test(expr);
        assert.equal(isRated, type !== "gauge", name);
      }
    });
  }

  it("says how bad it is, what it means, and has a name of its own", () => {
    assert.equal(new Set(alerts.map(({ alert }) => alert)).size, alerts.length);
    for (const { alert, labels, annotations } of alerts) {
      assert.match(alert, /^Portcullis[A-Z]/);
      assert.ok(["critical", "warning"].includes(labels.severity), alert);
      assert.match(annotations.summary, /^[A-Z].*\.$/s, alert);
    }
  });

  it("is silent where all is well, as far as one sample says", () => {
    const low = ["portcullis_signer_available", "portcullis_log_writable", "portcullis_clock_good"];
    for (const name of low) assert.match(exposition, new RegExp(`^${name} 1$`, "m"));
    assert.match(exposition, /^portcullis_evidence_writable 1$/m);
    assert.match(exposition, /^portcullis_trust_secret_behind_seconds 0$/m);
    assert.match(exposition, /^portcullis_trust_(secret_good|lease_held) 1$/m);
    assert.match(exposition, /^portcullis_reload_refused\{.*\} 0$/m);
  });
});
