/** The chart by the real helm: what it takes, what it refuses, and what must hold of whatever it makes. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { skipKube } from "../kube/skip-kube.ts";
import {
  chartDirectory,
  find,
  helm,
  kubeVersion,
  parseManifests,
  render,
  variants,
  type Values,
} from "./chart.ts";
import { plainManifests } from "./plain-manifests.ts";
import { configOf } from "./server-manifests.ts";

describe("the chart", { skip: skipKube }, () => {
  for (const [name, values] of variants) {
    it(`has nothing that helm's lint finds: ${name}`, async () => {
      const said = await helm("lint", values);
      assert.match(said, /1 chart\(s\) linted, 0 chart\(s\) failed/);
    });
  }

  const refused: readonly (readonly [string, string, unknown, RegExp])[] = [
    ["a value that it does not know", "trustDomian", "a", /trustDomian/],
    ["a mode", "guard.mode", "on", /guard.?\/?mode/],
    ["two servers", "podDisruptionBudget.maxUnavailable", 2, /maxUnavailable/],
    ["no audience", "audiences", [], /audiences/],
    ["off as YAML's false", "bundleConfigMap", false, /bundleConfigMap/],
    ["root as the user", "uid", 0, /uid/],
    ["an audience of workloads for operators", "admin.audience", "istio-ca", /none of a workload/],
    ["a role that is not ours", "operators.accountRoles", ["cluster-admin"], /accountRoles/],
  ];
  for (const [what, path, value, message] of refused) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(render({ [path]: value }), message);
    });
  }

  /** By key of the server's file: another value than the chart makes, and the one of the chart to set in its place. */
  const overridden: Readonly<Record<string, readonly [unknown, string]>> = {
    trustDomain: ["other.example", "trustDomain"],
    "tokens.audiences": [["a"], "audiences"],
    "serving.dnsNames": [["ca.example"], "servingDnsNames"],
    "kubernetes.tokenCheck": ["review", "tokenCheck"],
    "kubernetes.podAddress": ["off", "podAddress"],
    "kubernetes.trustedNodeAccounts": [["a/b"], "trustedNodeAccounts"],
    "kubernetes.clusterDomain": ["other.example", "clusterDomain"],
    "kubernetes.policyStatus": [false, "policyStatus"],
    "kubernetes.bundleConfigMap": ["foo", "bundleConfigMap"],
    "kubernetes.trustSecret": ["portcullis-trust", "trustSecret"],
    "kubernetes.guard": ["enforce", "guard.mode"],
    "admin.audience": ["ours", "admin.audience"],
  };
  for (const [key, [value, instead]] of Object.entries(overridden)) {
    it(`refuses config.${key}, and says where it is set`, async () => {
      const message = `config.${key}: set the value ${instead} instead`;
      await assert.rejects(render({ [`config.${key}`]: value }), ({ stderr }) =>
        stderr.includes(message),
      );
    });
  }

  it("refuses in config what the rest of the chart has fixed", async () => {
    const fixed: readonly (readonly [Values, string])[] = [
      [{ "config.dataDir": "/data" }, "config.dataDir: expected /var/lib/portcullis/data"],
      [
        { "config.kubernetes.namespace": "other" },
        "config.kubernetes.namespace: expected portcullis-system",
      ],
      [{ "config.listen": "0.0.0.0:8443" }, "config.listen: expected port 15012"],
      [{ "config.metrics.listen": "0.0.0.0:9090" }, "config.metrics.listen: expected port 15014"],
      [
        { "config.kubernetes.guardListen": "0.0.0.0:8443" },
        "config.kubernetes.guardListen: expected port 15017",
      ],
      [
        { "config.admin.listen": "0.0.0.0:15016", "admin.enabled": false },
        "config.admin: set the value admin.enabled instead",
      ],
      [
        { "config.ca.dir": "/ca", "ca.secretName": "cacerts" },
        "config.ca.dir: set the value ca.secretName instead",
      ],
      [
        { "config.ca.keyPassphraseFile": "/p", "ca.passphraseSecretName": "p" },
        "config.ca.keyPassphraseFile: set the value ca.passphraseSecretName instead",
      ],
    ];
    for (const [values, message] of fixed) {
      await assert.rejects(
        render(values),
        ({ stderr }) => stderr.includes(message),
        `not refused: ${message}`,
      );
    }
  });

  it("takes in config what says the same, or has no value of its own", async () => {
    const config = configOf(
      await render({
        "config.listen": "[::]:15012",
        "config.metrics.listen": "[::]:15014",
        "config.kubernetes.guardListen": "[::]:15017",
        "config.trustDomain": "cluster.local",
        "config.kubernetes.stalenessMax": "2m",
        "config.ca.dir": "/var/lib/portcullis/ca",
        "config.nodeAgents": ["spiffe://cluster.local/ns/mesh/sa/node"],
      }),
    );
    assert.deepEqual(config.listen, { host: "::", port: 15_012 });
    assert.equal(config.caDir, "/var/lib/portcullis/ca");
  });

  it("refuses a cluster that is too old for its policies", async () => {
    await helm("template", {}, "1.30.0");
    await assert.rejects(helm("template", {}, "1.29.14"), /chart requires kubeVersion/);
  });

  it("says to the server what its values say", async () => {
    const [, values] = variants[1] ?? assert.fail();
    const config = configOf(await render(values));
    assert.deepEqual(config.servingDnsNames, [
      "localhost",
      "portcullis.portcullis-system.svc",
      "portcullis.portcullis-system.svc.cluster.local",
      "istiod.istio-system.svc",
    ]);
    assert.deepEqual(
      [config.kubernetes, config.kubeNamespace, config.guard, config.trustSecret],
      ["in-cluster", "portcullis-system", "enforce", "portcullis-trust"],
    );
    assert.deepEqual(
      [config.caDir, config.keyPassphraseFile, config.defaultTtlSeconds, config.logLevel],
      ["/etc/cacerts", "/etc/ca-passphrase/passphrase", 43_200, "debug"],
    );
    assert.deepEqual(config.adminListen, { host: "127.0.0.1", port: 15_016 });
  });

  it("makes a file that the server takes, whatever is left out", async () => {
    for (const [, values] of variants) configOf(await render(values));
    const off = configOf(await render({ bundleConfigMap: "off", "admin.enabled": false }));
    assert.deepEqual([off.bundleConfigMap, off.adminListen], ["off", undefined]);
    assert.deepEqual(
      [off.policyStatus, configOf(await render({ policyStatus: false })).policyStatus],
      [true, false],
    );
  });

  it("fails closed where the guard enforces, and open where it warns", async () => {
    for (const [mode, failurePolicy] of [
      ["warn", "Ignore"],
      ["enforce", "Fail"],
    ] as const) {
      const manifests = await render({ "guard.mode": mode });
      const guard = find(manifests, "ValidatingWebhookConfiguration", "portcullis-guard");
      const [webhook] = guard["webhooks"] as { failurePolicy: string; clientConfig: object }[];
      assert.equal(webhook?.failurePolicy, failurePolicy);
      assert.ok(!("caBundle" in (webhook?.clientConfig ?? {})));
    }
  });

  it("brings the definitions of Istio's kinds, from the one place where they are", async () => {
    const all = parseManifests(await helm("template", {}, kubeVersion, ["--include-crds"]));
    const crds = all.filter(({ kind }) => kind === "CustomResourceDefinition");
    const names = crds.map(({ metadata }) => metadata.name);
    const directory = join(chartDirectory, "../../kubernetes/crds");
    const files = readdirSync(directory).map((file) => readFileSync(join(directory, file), "utf8"));
    const written = files.flatMap(parseManifests).map(({ metadata }) => metadata.name);
    assert.deepEqual(names.toSorted(), written.toSorted());
    assert.equal(names.length, 5);
  });

  it("has a schema for each value, and a value for each of its schema", () => {
    const read = (file: string): unknown => parse(readFileSync(join(chartDirectory, file), "utf8"));
    const schema = read("values.schema.json") as Schema;
    assert.deepEqual(keysOf(read("values.yaml"), schema), []);
  });

  it("is what the plain manifests are", async () => {
    for (const { path, manifests } of await plainManifests()) {
      const written = parseManifests(readFileSync(path, "utf8"));
      const hint = `${path}: run node test/deploy/plain-manifests.ts`;
      assert.deepEqual(written, manifests, hint);
    }
  });
});

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** Helm's own, for charts of charts. */
const known: ReadonlySet<string> = new Set(["global"]);

/** Those of one side only, by their paths. */
function keysOf(value: unknown, { properties }: Schema, path = ""): readonly string[] {
  if (properties === undefined || Object.keys(properties).length === 0) return [];
  const values = value as Readonly<Record<string, unknown>>;
  const both = new Set([...Object.keys(values), ...Object.keys(properties)]);
  return [...both]
    .filter((key) => !known.has(key))
    .flatMap((key) => {
      const [each, schema] = [values[key], properties[key]];
      const at = `${path}.${key}`;
      return each === undefined || schema === undefined ? [at] : keysOf(each, schema, at);
    });
}
