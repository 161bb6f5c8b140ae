//! Real throwaway servers for tests, benches and the demo.
