"""The rotation function that is deployed: four steps, observed."""
