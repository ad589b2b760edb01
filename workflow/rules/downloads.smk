# Files that the configuration gives as {url, sha256}; makes results/<study>/downloads/<first digits>-<name>


rule download_file:
    """Download a file of masks or questions and compare it with its SHA-256."""
    output:
        file=f"{RESULTS}/downloads/{{download}}",
    log:
        f"{RESULTS}/logs/download_file/{{download}}.log",
    wildcard_constraints:
        download=among(study.downloads),
    localrule: True
    conda:
        "../../envs/analysis.yaml"
    # No hash of the code: the file's own decides.
    params:
        source=lambda wildcards: study.downloads[wildcards.download],
    script:
        "../scripts/download_file.py"
