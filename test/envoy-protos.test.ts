/**
 * The .proto files that were written here name only what is used. Whatever they do name must be the published API: Envoy's and
 * Google's as the Envoy that we pin has it, Istio's as a table.
 */

import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { isFieldSet, type DescFile } from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FieldDescriptorProtoSchema,
  type DescriptorProto,
  type EnumDescriptorProto,
  type FieldDescriptorProto,
  type FileDescriptorProto,
  type MethodDescriptorProto,
} from "@bufbuild/protobuf/wkt";
import { IstioCertificateService } from "../src/gen/istio/v1/auth/ca_pb.ts";
import { testEnvoy } from "./support/envoy.ts";
import { envoyDescriptors } from "./support/envoy-descriptors.ts";

/** By full name: what each message, enum and service has, as in "resource_names = 3: repeated string". */
type Api = ReadonlyMap<string, readonly string[]>;

const gen = join(import.meta.dirname, "../src/gen");
const ours = await Promise.all(globSync("{envoy,google}/**/*_pb.ts", { cwd: gen }).map(fileOf));
const binary = await readFile(await testEnvoy());
const published = apiOf(envoyDescriptors(binary, ["envoy.", "google.rpc."]));

test("Envoy's own API was found", () => {
  assert.ok(published.size > 1_000);
  assert.ok(ours.length > 10);
});

for (const { proto } of ours) {
  test(`names nothing in ${proto.name} that Envoy does not have`, () => {
    for (const [name, parts] of apiOf([proto])) {
      const theirs = published.get(name);
      assert.ok(theirs !== undefined, name);
      const unknown = parts.filter((part) => !theirs.includes(part));
      assert.deepEqual(unknown, [], name);
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
      "CreateCertificate: istio.v1.auth.IstioCertificateRequest -> " +
        "istio.v1.auth.IstioCertificateResponse",
    ],
  };
  assert.deepEqual(Object.fromEntries(apiOf([IstioCertificateService.file.proto])), want);
});

async function fileOf(path: string): Promise<DescFile> {
  const exports: Record<string, unknown> = await import(join(gen, path));
  const file = Object.entries(exports).find(([name]) => name.startsWith("file_"))?.[1];
  assert(isFile(file), path);
  return file;
}

function isFile(value: unknown): value is DescFile {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "file";
}

function apiOf(files: readonly FileDescriptorProto[]): Api {
  return new Map(
    files.flatMap(({ package: scope, messageType, enumType, service }) => [
      ...messageType.flatMap((message) => messageApi(scope, message)),
      ...enumType.map((each) => enumApi(scope, each)),
      ...service.map(({ name, method }) => [`${scope}.${name}`, method.map(methodText)] as const),
    ]),
  );
}

function messageApi(scope: string, message: DescriptorProto): (readonly [string, string[]])[] {
  const name = `${scope}.${message.name}`;
  return [
    [name, message.field.map((field) => fieldText(message, field))],
    ...message.nestedType.flatMap((nested) => messageApi(name, nested)),
    ...message.enumType.map((nested) => enumApi(name, nested)),
  ];
}

function enumApi(scope: string, { name, value }: EnumDescriptorProto): readonly [string, string[]] {
  return [`${scope}.${name}`, value.map((each) => `${each.name} = ${each.number}`)];
}

function fieldText({ oneofDecl }: DescriptorProto, field: FieldDescriptorProto): string {
  const { name, number, label, type, typeName, oneofIndex } = field;
  const repeated = label === Label.REPEATED ? "repeated " : "";
  const of = typeName === "" ? Type[type].toLowerCase() : typeName.slice(1);
  const isInOneof = isFieldSet(field, FieldDescriptorProtoSchema.field.oneofIndex);
  const oneof = isInOneof ? ` in ${oneofDecl[oneofIndex]?.name}` : "";
  return `${name} = ${number}: ${repeated}${of}${oneof}`;
}

function methodText(method: MethodDescriptorProto): string {
  const { name, inputType, outputType, clientStreaming, serverStreaming } = method;
  const input = `${clientStreaming ? "stream " : ""}${inputType.slice(1)}`;
  return `${name}: ${input} -> ${serverStreaming ? "stream " : ""}${outputType.slice(1)}`;
}
