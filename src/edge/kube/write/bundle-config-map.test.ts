import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { isJsonObject } from "../../../core/identity/json-object.ts";
import { bundleMaps, textSha256 } from "./bundle-config-map.ts";

const { parse, fieldSelector } = bundleMaps("istio-ca-root-cert");

function wroteRoots(manager: string, time: string, field = "f:root-cert.pem"): object {
  return { manager, time, fieldsV1: { "f:data": { [field]: {} } } };
}

const metadata = {
  name: "istio-ca-root-cert",
  namespace: "shop",
  uid: "u",
  resourceVersion: "7",
  labels: { "istio.io/config": "true" },
  managedFields: [
    wroteRoots("portcullis", "2026-11-30T08:00:00Z"),
    wroteRoots("pilot-discovery", "2026-11-30T09:00:00Z"),
    wroteRoots("kubectl", "2026-11-30T10:00:00Z", "f:other.pem"),
    { manager: "labels", time: "2026-11-30T11:00:00Z", fieldsV1: { "f:metadata": {} } },
  ],
};

describe("a ConfigMap with the roots, as it is watched", () => {
  it("is watched by its name alone", () => {
    assert.equal(fieldSelector, "metadata.name=istio-ca-root-cert");
  });

  it("says whether it has the roots, and who wrote them last", () => {
    assert.deepEqual(parse({ metadata, data: { "root-cert.pem": "roots", "other.pem": "x" } }), {
      namespace: "shop",
      name: "istio-ca-root-cert",
      uid: "u",
      resourceVersion: "7",
      rootsSha256: textSha256("roots"),
      isLabelled: true,
      manager: "pilot-discovery",
    });
  });

  it("has no roots where they are none, and no label where that says something else", () => {
    const without = parse({ metadata: { ...metadata, labels: { "istio.io/config": "false" } } });
    assert.deepEqual([without?.rootsSha256, without?.isLabelled], [undefined, false]);
    assert.equal(parse({ metadata, data: { "root-cert.pem": 7 } })?.rootsSha256, undefined);
    assert.equal(parse({ metadata: { ...metadata, managedFields: "?" } })?.manager, "");
  });

  it("is read or left out, whatever it is", () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (some, other) => {
        for (const managedFields of [some, [some, other], [{ fieldsV1: some }]]) {
          const raw = { metadata: { ...metadata, labels: other, managedFields }, data: some };
          assert.equal(parse(raw)?.name, "istio-ca-root-cert");
        }
        if (isJsonObject(some)) parse(some);
      }),
    );
  });
});
