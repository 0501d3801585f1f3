import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import {
  SecretSchema,
  SPIFFECertValidatorConfigSchema,
} from "../../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import type { DataSource } from "../../gen/envoy/config/core/v3/base_pb.ts";
import { SpiffeId, TrustDomain } from "../spiffe/id.ts";
import { rootsDigest } from "../spiffe/roots-digest.ts";
import { trustBundle } from "../spiffe/trust-bundle.ts";
import { parsePem, parseSinglePem } from "../x509/pem.ts";
import {
  certificateSecrets,
  validationSecrets,
  type SecretResource,
  type WorkloadCertificate,
} from "./secret.ts";

const trustDomain = TrustDomain.parse("td.test");
const certificate: WorkloadCertificate = {
  id: SpiffeId.parse("spiffe://td.test/ns/shop/sa/server"),
  chain: [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6)],
  privateKeyPkcs8: Uint8Array.of(7, 8, 9),
  serialHex: "7f01",
  notAfterMs: 1_000,
};
const roots = [Uint8Array.of(2), Uint8Array.of(1)];

test("gives a certificate under Istio's name and under its SPIFFE ID", () => {
  const secrets = certificateSecrets(certificate);
  assert.deepEqual(
    secrets.map(({ name }) => name),
    ["default", "spiffe://td.test/ns/shop/sa/server"],
  );
  for (const resource of secrets) {
    const { name, type } = fromBinary(SecretSchema, resource.body);
    assert.equal(name, resource.name);
    assert(type.case === "tlsCertificate");
    const chain = parsePem(inline(type.value.certificateChain), "CERTIFICATE", { blocksMax: 9 });
    assert.deepEqual(chain.map(bytes), certificate.chain.map(bytes));
    const key = parseSinglePem(inline(type.value.privateKey), "PRIVATE KEY");
    assert.deepEqual(bytes(key), bytes(certificate.privateKeyPkcs8));
    const evidence = { certificate: { serialHex: "7f01", notAfterMs: 1_000 }, bundleSequence: 0n };
    assert.deepEqual(resource.evidence, evidence);
  }
});

test("gives a bundle under Istio's name and under its trust domain's ID", () => {
  const secrets = validationSecrets(trustBundle(trustDomain, 7n, roots)).slice(0, -1);
  assert.deepEqual(
    secrets.map(({ name }) => name),
    ["ROOTCA", "spiffe://td.test"],
  );
  for (const resource of secrets) {
    const { type } = fromBinary(SecretSchema, resource.body);
    assert(type.case === "validationContext");
    const pem = parsePem(inline(type.value.trustedCa), "CERTIFICATE", { blocksMax: 9 });
    assert.deepEqual(pem.map(bytes), [[1], [2]]);
    assert.deepEqual(resource.evidence, { bundleSequence: 7n, rootsDigest: rootsDigest(roots) });
  }
});

test("gives Envoy's SPIFFE validator the roots of its trust domain under SPIRE's name", () => {
  const resource = validationSecrets(trustBundle(trustDomain, 7n, roots)).at(-1);
  assert(resource !== undefined);
  assert.equal(resource.name, "ALL");
  assert.deepEqual(resource.evidence, { bundleSequence: 7n, rootsDigest: rootsDigest(roots) });
  const { type } = fromBinary(SecretSchema, resource.body);
  assert(type.case === "validationContext");
  assert.equal(type.value.trustedCa, undefined);
  const { name, typedConfig } = type.value.customValidatorConfig ?? {};
  assert.equal(name, "envoy.tls.cert_validator.spiffe");
  assert(typedConfig !== undefined);
  const config = anyUnpack(typedConfig, SPIFFECertValidatorConfigSchema);
  const domains = config?.trustDomains.map(({ name, trustBundle }) => [
    name,
    parsePem(inline(trustBundle), "CERTIFICATE", { blocksMax: 9 }).map(bytes),
  ]);
  assert.deepEqual(domains, [["td.test", [[1], [2]]]]);
});

test("gives equal roots an equal version in whatever order and under whatever sequence", () => {
  const versions = (sequence: bigint, ders: readonly Uint8Array[]): string[] =>
    validationSecrets(trustBundle(trustDomain, sequence, ders)).map(({ version }) => version);
  assert.deepEqual(versions(7n, roots), versions(8n, roots.toReversed()));
  assert.notDeepEqual(versions(7n, roots), versions(7n, roots.slice(1)));
});

test("gives another certificate or another key another version", () => {
  const changes: readonly Partial<WorkloadCertificate>[] = [
    { chain: certificate.chain.slice(1) },
    { privateKeyPkcs8: Uint8Array.of(7) },
  ];
  for (const change of changes) {
    const [before, after] = [certificate, { ...certificate, ...change }].map(certificateSecrets);
    assert.notEqual(first(after).version, first(before).version);
    assert.equal(first(certificateSecrets(certificate)).version, first(before).version);
  }
});

function inline(source: DataSource | undefined): string {
  assert(source?.specifier.case === "inlineBytes");
  return new TextDecoder().decode(source.specifier.value);
}

function bytes(array: Uint8Array): number[] {
  return [...array];
}

function first(resources: readonly SecretResource[] | undefined): SecretResource {
  const [resource] = resources ?? [];
  assert(resource !== undefined);
  return resource;
}
