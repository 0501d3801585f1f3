package main

import (
	"errors"
	"fmt"

	"portcullis/bench/load/wire"
)

// Numbers of fields, of istio.v1.auth and of portcullis.mesh.v1.
const (
	certChainField = 1 // of IstioCertificateResponse and SignedCertificate
	csrField       = 1 // of IstioCertificateRequest

	entriesField    = 1 // of SignBatchRequest
	entryTokenField = 1
	entryCSRField   = 2

	resultsField     = 1 // of SignBatchResponse
	certificateField = 1 // of SignBatchResult
	refusalField     = 2
)

// appendEntry appends a record to a SignBatchRequest: its token, and the CSR of its message.
func appendEntry(batch, token, message []byte) ([]byte, error) {
	field, rest, err := wire.Next(message)
	if err != nil {
		return nil, err
	}
	if field.Number != csrField || len(rest) > 0 {
		return nil, errors.New("expected a request with a CSR and nothing else")
	}
	entry := wire.AppendBytes(nil, entryTokenField, token)
	entry = wire.AppendBytes(entry, entryCSRField, field.Bytes)
	return wire.AppendBytes(batch, entriesField, entry), nil
}

// checkBatch checks that SignBatchResponse has a certificate for each of so many entries.
func checkBatch(message []byte, entries int) error {
	results := 0
	for rest := message; len(rest) > 0; results++ {
		var result wire.Field
		var err error
		if result, rest, err = wire.Next(rest); err != nil {
			return err
		}
		if result.Number != resultsField {
			return fmt.Errorf("expected results, got field %d", result.Number)
		}
		if err := checkResult(result.Bytes); err != nil {
			return fmt.Errorf("result %d: %w", results, err)
		}
	}
	if results != entries {
		return fmt.Errorf("expected %d results, got %d", entries, results)
	}
	return nil
}

func checkResult(result []byte) error {
	field, _, err := wire.Next(result)
	switch {
	case err != nil:
		return err
	case field.Number == certificateField:
		return checkChain(field.Bytes)
	case field.Number == refusalField:
		return fmt.Errorf("refused: %q", field.Bytes)
	}
	return fmt.Errorf("expected a certificate or a refusal, got field %d", field.Number)
}
