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
