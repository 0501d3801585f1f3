/** `portcullis svid show` */

import { existsSync } from "node:fs";
import { parseCertificate, type Certificate } from "../../../core/x509/certificate.ts";
import { parsePublicKey } from "../../../core/x509/public-key.ts";
import { readCertificateFile } from "../certificate-file.ts";
import { defineCommand, ExitCode, type Command } from "../command.ts";
import { formatRelative, formatTimestamp } from "../format.ts";
import { logDirectory, logFlags } from "../log-flags.ts";
import { parseSerial } from "../log-lookup.ts";
import { outputFlag, writeOutput } from "../output.ts";
import { formatTable } from "../table.ts";

export const svidShow: Command = defineCommand({
  description:
    "Shows the certificates of a PEM file, the leaf first, or by its serial what the server's " +
    "transparency log has of one: who asked for it and on what evidence, what came of it, and who " +
    "holds it. Exits 3 when it is not in date, or was not signed.",
  flags: { ...logFlags, ...outputFlag },
  positionals: [
    {
      name: "FILE|SERIAL",
      help: "PEM file: svid.pem, bundle.pem, root-cert.pem, /dev/stdin for a pipe; or a serial in hex",
    },
  ],
  examples: [
    { what: "What was fetched", command: "portcullis svid show web/svid.pem" },
    {
      what: "Seconds until it expires",
      command: "portcullis svid show web/svid.pem -o json | jq '.[0].expiresInSeconds'",
    },
    {
      what: "What the log says of a certificate",
      command: "portcullis svid show 5a1f09c2d4e8b7a6 --data-dir /var/lib/portcullis",
    },
  ],
  async run(context, { output, ...flags }, [file = ""]) {
    const serial = parseSerial(file);
    if (serial !== undefined && !existsSync(file)) {
      const { showLoggedSvid } = await import("../log-svid.ts");
      return await showLoggedSvid(context, logDirectory(flags, context), serial, output);
    }
    const { certificates } = await readCertificateFile(file, context.signal);
    const nowMs = context.nowMs();
    const shown = certificates.map((der) => show(parseCertificate(der), nowMs));
    await writeOutput(context, output, shown, () =>
      shown.map((each) => table(each, nowMs)).join("\n"),
    );
    return shown[0]?.inDate === true ? ExitCode.ok : ExitCode.warning;
  },
});

function show(certificate: Certificate, nowMs: number) {
  const { uris, dnsNames, serialHex, notBeforeMs, notAfterMs, isCa, spki } = certificate;
  const { type, bits } = parsePublicKey(spki);
  return {
    uris,
    dnsNames,
    serial: serialHex,
    notBefore: formatTimestamp(notBeforeMs),
    notAfter: formatTimestamp(notAfterMs),
    expiresInSeconds: Math.floor((notAfterMs - nowMs) / 1_000),
    inDate: notBeforeMs <= nowMs && nowMs < notAfterMs,
    ca: isCa,
    key: type === "rsa" ? `rsa-${bits}` : type,
    authorityKeyId: hex(certificate.authorityKeyId),
    subjectKeyId: hex(certificate.subjectKeyId),
  };
}

function table(shown: ReturnType<typeof show>, nowMs: number): string {
  const expiry = `${shown.notAfter} (${formatRelative(Date.parse(shown.notAfter), nowMs)})`;
  const names = [...shown.uris, ...shown.dnsNames];
  return formatTable(
    [{ header: "field" }, { header: shown.ca ? "authority" : "leaf" }],
    [
      ...names.map((name) => ["name", name]),
      ["serial", shown.serial],
      ["not before", shown.notBefore],
      ["not after", expiry],
      ["key", shown.key],
      ["key id", shown.subjectKeyId],
      ["issuer key id", shown.authorityKeyId],
    ],
    { colour: false },
  );
}

function hex(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "" : Buffer.from(bytes).toString("hex");
}
