/**
 * The .proto files that were written here name only what is used. Whatever they do name must be the
 * published API: Envoy's and Google's in the copies that @grpc/grpc-js-xds ships, Istio's as a
 * table.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import {
  createFileRegistry,
  fromBinary,
  ScalarType,
  type DescField,
  type DescMessage,
  type DescMethod,
  type DescService,
  type FileRegistry,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { NodeSchema } from "../src/gen/envoy/config/core/v3/base_pb.ts";
import { SecretSchema } from "../src/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import { DiscoveryRequestSchema } from "../src/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { SecretDiscoveryService } from "../src/gen/envoy/service/secret/v3/sds_pb.ts";
import { StatusSchema } from "../src/gen/google/rpc/status_pb.ts";
import { IstioCertificateService } from "../src/gen/istio/v1/auth/ca_pb.ts";

const shared = [
  NodeSchema,
  SecretSchema,
  DiscoveryRequestSchema,
  SecretDiscoveryService,
  StatusSchema,
];
const published = publishedRegistry();

for (const { file } of shared) {
  test(`names nothing in ${file.name}.proto that the published API does not have`, () => {
    for (const message of file.messages) {
      const theirs = published.getMessage(message.typeName);
      assert(theirs, message.typeName);
      assertSubset(message, signatures(message), signatures(theirs));
    }
    for (const service of file.services) {
      const theirs = published.getService(service.typeName);
      assert(theirs, service.typeName);
      assertSubset(
        service,
        service.methods.map(methodSignature),
        theirs.methods.map(methodSignature),
      );
    }
  });
}

test("speaks exactly Istio's CA API", () => {
  // istio.io/api security/v1alpha1/ca.proto; field 2 of the request is not in use there either.
  const want = {
    "istio.v1.auth.IstioCertificateRequest": [
      "csr = 1: string",
      "validity_duration = 3: int64",
      "metadata = 4: google.protobuf.Struct",
    ],
    "istio.v1.auth.IstioCertificateResponse": ["cert_chain = 1: repeated string"],
    "istio.v1.auth.IstioCertificateService": [
      "CreateCertificate: unary istio.v1.auth.IstioCertificateRequest -> " +
        "istio.v1.auth.IstioCertificateResponse",
    ],
  };
  const messages = IstioCertificateService.file.messages.map((message) => [
    message.typeName,
    signatures(message),
  ]);
  const services = IstioCertificateService.file.services.map((service) => [
    service.typeName,
    service.methods.map(methodSignature),
  ]);
  assert.deepEqual(Object.fromEntries([...messages, ...services]), want);
});

function publishedRegistry(): FileRegistry {
  const shipped = "node_modules/@grpc/grpc-js-xds/deps";
  const modules = [
    { path: `${shipped}/envoy-api` },
    { path: `${shipped}/googleapis` },
    { path: `${shipped}/xds` },
    {
      path: `${shipped}/protoc-gen-validate`,
      excludes: [`${shipped}/protoc-gen-validate/tests`],
    },
  ];
  const tls = "extensions/transport_sockets/tls/v3";
  const files = ["service/secret/v3/sds", `${tls}/secret`, `${tls}/tls_spiffe_validator_config`];
  const paths = files.flatMap((file) => ["--path", `${shipped}/envoy-api/envoy/${file}.proto`]);
  const config = JSON.stringify({ version: "v2", modules });
  const args = ["build", ".", "--config", config, ...paths, "--output", "-#format=binpb"];
  const image = execFileSync("node_modules/.bin/buf", args, {
    cwd: join(import.meta.dirname, ".."),
    maxBuffer: 16 << 20,
  });
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
}

function assertSubset(
  owner: DescMessage | DescService,
  ours: readonly string[],
  theirs: readonly string[],
): void {
  const unknown = ours.filter((signature) => !theirs.includes(signature));
  assert.deepEqual(unknown, [], owner.typeName);
}

function signatures(message: DescMessage): string[] {
  return message.fields.map(fieldSignature);
}

/** As in "resource_names = 3: repeated string". */
function fieldSignature(field: DescField): string {
  const oneof = field.oneof === undefined ? "" : ` in ${field.oneof.name}`;
  return `${field.name} = ${field.number}: ${fieldType(field)}${oneof}`;
}

function fieldType(field: DescField): string {
  if (field.fieldKind === "list") return `repeated ${elementType(field)}`;
  if (field.fieldKind !== "map") return elementType(field);
  return `map<${scalarName(field.mapKey)}, ${elementType(field)}>`;
}

function elementType(field: DescField): string {
  if (field.message !== undefined) return field.message.typeName;
  if (field.enum !== undefined) return field.enum.typeName;
  assert(field.scalar !== undefined);
  return scalarName(field.scalar);
}

function scalarName(scalar: ScalarType): string {
  return ScalarType[scalar].toLowerCase();
}

function methodSignature(method: DescMethod): string {
  const { name, methodKind, input, output } = method;
  return `${name}: ${methodKind} ${input.typeName} -> ${output.typeName}`;
}
