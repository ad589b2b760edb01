"""What several tests share: servers, small models and data sets, copies of the workflow, results to show."""
