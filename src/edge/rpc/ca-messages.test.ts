/** The hand-written messages mean what the generated ones mean. */

import { create, fromBinary, toBinary, type JsonObject } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  IstioCertificateRequestSchema,
  IstioCertificateResponseSchema,
  IstioCertificateService,
} from "../../gen/istio/v1/auth/ca_pb.ts";
import { createCertificateMethod, decodeCertificateRequest } from "./ca-messages.ts";

const jsonObject = fc
  .dictionary(fc.constantFrom("CertSigner", "ImpersonatedIdentity", "WorkloadName"), fc.jsonValue())
  .map((value) => value as JsonObject);

describe("a certificate request", () => {
  it("is read as the generated code reads it", () => {
    const request = fc.record({
      csr: fc.string(),
      validityDuration: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      metadata: jsonObject,
    });
    fc.assert(
      fc.property(request, (value) => {
        const bytes = toBinary(
          IstioCertificateRequestSchema,
          create(IstioCertificateRequestSchema, value),
        );
        const generated = fromBinary(IstioCertificateRequestSchema, bytes);
        const asked = generated.metadata?.["ImpersonatedIdentity"];
        assert.deepEqual(decodeCertificateRequest(bytes), {
          csr: generated.csr,
          validityDurationSeconds: generated.validityDuration,
          impersonates: typeof asked === "string" ? asked : "",
        });
      }),
      { numRuns: 2_000 },
    );
  });

  it("is read or refused, never a crash, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          decodeCertificateRequest(bytes);
        } catch (error) {
          assert.ok(error instanceof Error);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it("costs nothing for depth: 60 KiB of nested structs are skipped", () => {
    let value: Buffer = Buffer.from([0x1a, 0x01, 0x61]);
    while (value.length < 60_000) {
      const entry = tlv(0x0a, Buffer.concat([tlv(0x0a, Buffer.from("a")), tlv(0x12, value)]));
      value = tlv(0x2a, entry);
    }
    const entry = Buffer.concat([tlv(0x0a, Buffer.from("CertSigner")), tlv(0x12, value)]);
    const decoded = decodeCertificateRequest(tlv(0x22, tlv(0x0a, entry)));
    assert.equal(decoded.impersonates, "");
  });
});

describe("a certificate response", () => {
  it("is written as the generated code writes it", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (certChain) => {
        const generated = toBinary(
          IstioCertificateResponseSchema,
          create(IstioCertificateResponseSchema, { certChain }),
        );
        const bytes = createCertificateMethod.responseSerialize({ certChain });
        assert.deepEqual(Uint8Array.from(bytes), generated);
      }),
    );
  });

  it("goes by the path of the generated service", () => {
    const { typeName, method } = IstioCertificateService;
    assert.equal(createCertificateMethod.path, `/${typeName}/${method.createCertificate.name}`);
  });
});

function tlv(tag: number, value: Buffer): Buffer {
  const length: number[] = [];
  let rest = value.length;
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.from([tag, ...length]), value]);
}
