/** @file Its process dies before it has any test. */
process.abort();
