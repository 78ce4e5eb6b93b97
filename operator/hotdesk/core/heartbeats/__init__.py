"""Heartbeats as the gateway takes them: who may beat, and which beat is written."""
