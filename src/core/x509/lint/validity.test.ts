import {
  LINT_NOW_MS,
  testLeafLints,
  type Change,
  type Fault,
} from "../../../../test/support/lint.ts";
import { integer, nullValue, oid, sequence, text } from "../../../../test/support/der.ts";
import { validity } from "../../../../test/support/reissue.ts";
import { serialLints } from "./serial.ts";
import { signingLints } from "./signing.ts";
import { validityLints } from "./validity.ts";

const lives = (fromMs: number, toMs: number): Change => ({
  validity: validity(LINT_NOW_MS + fromMs, LINT_NOW_MS + toMs),
});
const numbered = (serial: bigint): Change => ({ serial: integer(serial) });
const ECDSA_SHA256 = oid("1.2.840.10045.4.3.2");
const RSA_SHA256 = oid("1.2.840.113549.1.1.11");

function signedBy(keyType: "ec-p256" | "ec-p384" | "rsa", ...algorithm: Uint8Array[]): Change {
  return { innerAlgorithm: sequence(...algorithm), underIssuer: { keyType } };
}

const faults: readonly Fault[] = [
  { lint: "not-over", title: "an end that is now", change: lives(-120_000, 0) },
  { lint: "begun", title: "a start in a second", change: lives(1_000, 3_600_000) },
  { lint: "backdate-bounded", title: "a start 121 s ago", change: lives(-121_000, 3_600_000) },
  { lint: "lifetime-bounded", title: "a second too much", change: lives(-120_000, 7_201_000) },
  {
    lint: "ends-within-issuer",
    title: "an end a second after its issuer's",
    change: { underIssuer: { notAfterMs: LINT_NOW_MS + 3_599_000 } },
  },
  {
    lint: "serial-at-most-128-bits",
    title: "a serial of 129 bits",
    change: numbered(1n << 128n),
  },
  { lint: "serial-not-a-counter", title: "the serial 1", change: numbered(1n) },
  {
    lint: "serial-not-a-counter",
    title: "a serial of 64 bits",
    change: numbered((1n << 64n) - 1n),
  },
  {
    lint: "signature-algorithm-of-issuer-key",
    title: "another digest than the issuer's",
    change: signedBy("ec-p384", ECDSA_SHA256),
  },
  {
    lint: "signature-algorithm-of-issuer-key",
    title: "SHA-1",
    change: signedBy("rsa", oid("1.2.840.113549.1.1.5"), nullValue()),
  },
  {
    lint: "signature-algorithm-parameters",
    title: "NULL parameters of ECDSA",
    change: signedBy("ec-p256", ECDSA_SHA256, nullValue()),
  },
  {
    lint: "signature-algorithm-parameters",
    title: "no parameters of RSA",
    change: signedBy("rsa", RSA_SHA256),
  },
  {
    lint: "signature-algorithm-parameters",
    title: "other parameters of RSA",
    change: signedBy("rsa", RSA_SHA256, text(0x0c, "")),
  },
];

testLeafLints([...validityLints, ...serialLints, ...signingLints], faults);
